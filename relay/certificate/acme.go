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

// ACMEOptions are what an ACME is made of.
type ACMEOptions struct {
	config.ACME
	EABKey []byte         // binds the account where ACME.EABKeyID is set
	Roots  *x509.CertPool // vouch for the directory; nil: the system's
	HTTP   bool           // HTTPHandler is served on the name's port 80
}

// ACME keeps a store's certificate issued by an authority (RFC 8555). Only the store's
// name is ever asked for.
type ACME struct {
	store     *Store
	options   ACMEOptions
	http      *http.Client
	cache     cache
	key       crypto.Signer             // the account's
	ways      []way                     // of validation; the first is used next
	validated atomic.Pointer[challenge] // what is being validated; nil: nothing
	retry     time.Duration             // after the first failure
}

// Failures are followed by a pause that doubles from the first to the longest. An hour
// has at most six validations, which Let's Encrypt's limit of failed ones (five, and
// five more every hour) allows.
const (
	firstRetry   = time.Minute
	longestRetry = time.Hour
)

// NewACME makes an ACME for a store, with the account's key and the certificate that are
// in the cache: the certificate serves at once.
func NewACME(store *Store, o ACMEOptions) (*ACME, error) {
	c, err := openCache(o.Cache, o.Directory)
	if err != nil {
		return nil, err
	}
	a := &ACME{store: store, options: o, cache: c, ways: []way{tlsALPN}, retry: firstRetry}
	if o.HTTP {
		a.ways = []way{http01, tlsALPN} // port 80 was opened for it
	}
	if a.key, err = c.accountKey(); err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: o.Roots}
	transport.DisableKeepAlives = true // the next request is months away
	a.http = &http.Client{Transport: transport, Timeout: 30 * time.Second}
	if text, err := c.loadPair(store.name); err != nil {
		return nil, err
	} else if text != nil {
		if err := store.Replace(text, text); err != nil {
			store.log.Warn("the certificate in the cache is not taken: another is asked for", "error", err)
		}
	}
	return a, nil
}

// Run has a certificate issued where there is none, and renewed when a third of its life
// is left, until ctx is done. Failures are logged, each with the time of the next try.
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

// renewal is when a certificate is renewed: a third of its life ahead of its end, and up
// to a thirtieth earlier, so that hosts that were installed together do not come together.
func renewal(leaf *x509.Certificate) time.Time {
	third := leaf.NotAfter.Sub(leaf.NotBefore) / 3
	return leaf.NotAfter.Add(-third - rand.N(third/10+1))
}

// wait returns true at the time due, or false when ctx is done before. It looks at the
// clock every hour: timers stand still while a machine sleeps.
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

// pause is for how long nothing is tried after a number of failures before this one. An
// authority that says how long counts.
func (a *ACME) pause(failures int, err error) time.Duration {
	pause := min(a.retry<<min(failures, 10), longestRetry)
	pause += rand.N(pause/4 + 1)
	return max(pause, retryAfter(err))
}

// renew has a certificate issued, keeps it, and lets it serve.
func (a *ACME) renew(ctx context.Context) error {
	text, err := a.obtain(ctx)
	if err != nil {
		return fmt.Errorf("%s: %s", a.options.Directory, strings.Join(strings.Fields(err.Error()), " "))
	}
	if err := a.cache.savePair(a.store.name, text); err != nil {
		// It will serve, so this is no failure; but the next start will ask for another.
		a.store.log.Error("the certificate is not kept", "error", err)
	}
	if err := a.store.Replace(text, text); err != nil {
		return fmt.Errorf("%s issued what is not taken: %w", a.options.Directory, err)
	}
	return nil
}

// Validation is for the GetConfigForClient of the HTTPS listener's [tls.Config]. It
// answers an authority that validates by TLS-ALPN-01 (RFC 8737) while it does so, and
// nobody else.
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

// HTTPHandler answers an authority that validates by HTTP-01 (RFC 8555, section 8.3)
// while it does so, and leaves all other requests to next.
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
