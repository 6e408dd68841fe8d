package certificate

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"

	"praxisrelay/config"
)

// ACMEOptions configure an ACME.
type ACMEOptions struct {
	config.ACME
	EABKey []byte         // binds the account if ACME.EABKeyID is set
	Roots  *x509.CertPool // authorities for the directory's certificate; nil: the system's
	HTTP   bool           // HTTPHandler is served on the name's port 80
}

// ACME has a store's certificate issued and renewed by an authority (RFC 8555). It only requests
// the store's name.
type ACME struct {
	store     *Store
	options   ACMEOptions
	http      *http.Client
	cache     cache
	key       crypto.Signer             // the account's
	ways      []way                     // of validation; the next try uses the first
	validated atomic.Pointer[challenge] // the challenge being validated; nil: none
	retry     time.Duration             // after the first failure
}

// The pause after a failure doubles from the first to the longest. That makes at most six
// validations an hour, within Let's Encrypt's limit on failed ones (five, plus five every hour).
const (
	firstRetry   = time.Minute
	longestRetry = time.Hour
)

// NewACME makes an ACME for a store. The account key and certificate come from the cache, so a
// cached certificate serves at once.
func NewACME(store *Store, o ACMEOptions) (*ACME, error) {
	c, err := openCache(o.Cache, o.Directory)
	if err != nil {
		return nil, err
	}
	a := &ACME{store: store, options: o, cache: c, ways: []way{tlsALPN}, retry: firstRetry}
	if o.HTTP {
		a.ways = []way{http01, tlsALPN} // port 80 is open for this
	}
	if a.key, err = c.accountKey(); err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: o.Roots}
	transport.DisableKeepAlives = true // the next renewal is months away
	a.http = &http.Client{Transport: transport, Timeout: 30 * time.Second}
	if text, err := c.loadPair(store.name); err != nil {
		return nil, err
	} else if text != nil {
		if err := store.Replace(text, text); err != nil {
			store.log.Warn("the certificate in the cache is not accepted: another is requested", "error", err)
		}
	}
	return a, nil
}

// Run has a certificate issued if there is none, and renewed when a third of its life is left,
// until ctx is done. Failures are logged with the time of the next try.
func (a *ACME) Run(ctx context.Context) {
	due := a.store.now()
	if leaf := a.store.Leaf(); leaf != nil {
		due = renewal(leaf)
	}
	for failures := 0; a.wait(ctx, due); {
		err := a.renew(ctx)
		if err == nil {
			failures, due = 0, renewal(a.store.Leaf())
			continue
		}
		if ctx.Err() != nil {
			return
		}
		due = a.store.now().Add(a.pause(failures, err))
		failures++
		a.store.noteProblem(err)
		a.store.log.Error("no certificate was issued", "error", err, "next_try", due.UTC().Format(layout))
	}
}

// renewal returns when to renew a certificate: a third of its life before its end, and up to a
// thirtieth earlier, so that hosts installed together do not renew together.
func renewal(leaf *x509.Certificate) time.Time {
	third := leaf.NotAfter.Sub(leaf.NotBefore) / 3
	return leaf.NotAfter.Add(-third - rand.N(third/10+1))
}

// wait returns true at the time due, or false if ctx is done first. It checks the clock every hour,
// since timers stop while a machine sleeps.
func (a *ACME) wait(ctx context.Context, due time.Time) bool {
	for {
		left := due.Sub(a.store.now())
		if left <= 0 {
			return ctx.Err() == nil
		}
		timer := time.NewTimer(min(left, time.Hour))
		select {
		case <-ctx.Done():
			timer.Stop()
			return false
		case <-timer.C:
		}
	}
}

// pause returns how long to wait after a failure that followed a number of others: at least as long
// as the authority asks.
func (a *ACME) pause(failures int, err error) time.Duration {
	pause := min(a.retry<<min(failures, 10), longestRetry)
	pause += rand.N(pause/4 + 1)
	return max(pause, retryAfter(err))
}

// renew has a certificate issued, caches it, and puts it into service.
func (a *ACME) renew(ctx context.Context) error {
	text, err := a.obtain(ctx)
	if err != nil {
		return fmt.Errorf("%s: %s", a.options.Directory, strings.Join(strings.Fields(err.Error()), " "))
	}
	if err := a.cache.savePair(a.store.name, text); err != nil {
		// Not a failure, since it will serve; but the next start will request another.
		a.store.log.Error("the certificate could not be saved", "error", err)
	}
	if err := a.store.Replace(text, text); err != nil {
		return fmt.Errorf("%s issued an unusable certificate: %w", a.options.Directory, err)
	}
	return nil
}

// Validation is the GetConfigForClient of the HTTPS listener's [tls.Config]. It answers an
// authority while that validates by TLS-ALPN-01 (RFC 8737), and nobody else.
func (a *ACME) Validation(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	c := a.validated.Load()
	if c == nil || c.certificate == nil || !strings.EqualFold(hello.ServerName, a.store.name) ||
		len(hello.SupportedProtos) != 1 || hello.SupportedProtos[0] != acme.ALPNProto {
		return nil, nil
	}
	return &tls.Config{
		Certificates: []tls.Certificate{*c.certificate},
		NextProtos:   []string{acme.ALPNProto},
		MinVersion:   tls.VersionTLS12,
	}, nil
}

// HTTPHandler answers an authority while that validates by HTTP-01 (RFC 8555, section 8.3), and
// passes all other requests to next.
func (a *ACME) HTTPHandler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := a.validated.Load()
		if c == nil || c.path == "" || r.URL.Path != c.path {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = w.Write([]byte(c.body))
	})
}
