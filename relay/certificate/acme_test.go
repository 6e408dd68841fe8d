package certificate

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/acme"

	"praxisrelay/config"
	"praxisrelay/relay/certificate/certificatetest"
)

const eabKey = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"

// client is a store with an ACME that retries soon.
type client struct {
	*ACME
	store *Store
	log   *journal
}

func newClient(t *testing.T, a *certificatetest.Pebble, change func(*ACMEOptions)) client {
	t.Helper()
	text, err := os.ReadFile(a.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	o := ACMEOptions{ACME: config.ACME{Directory: a.Directory, Email: "it@example.org", Cache: filepath.Join(t.TempDir(), "acme")}, Roots: x509.NewCertPool()}
	o.Roots.AppendCertsFromPEM(text)
	if change != nil {
		change(&o)
	}
	s, j := newStore()
	c, err := NewACME(s, o)
	if err != nil {
		t.Fatal(err)
	}
	c.retry = 50 * time.Millisecond
	return client{c, s, j}
}

// run runs the ACME until the test ends or stop is called.
func (c client) run(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { c.Run(ctx); close(done) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

// serveTLS serves TLS on the port where the authority validates, as the HTTPS listener does, until
// the test ends or stop is called.
func (c client) serveTLS(t *testing.T, a *certificatetest.Pebble) (stop func()) {
	t.Helper()
	settings := &tls.Config{
		GetCertificate: c.store.GetCertificate, GetConfigForClient: c.Validation,
		NextProtos: []string{"http/1.1"},
	}
	listener, err := tls.Listen("tcp", net.JoinHostPort(a.Address, strconv.Itoa(certificatetest.TLSPort)), settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _ = conn.(*tls.Conn).Handshake(); conn.Close() }()
		}
	}()
	return func() { listener.Close() }
}

// serveHTTP serves HTTP on the port where the authority validates.
func (c client) serveHTTP(t *testing.T, a *certificatetest.Pebble) {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(a.Address, strconv.Itoa(certificatetest.HTTPPort)))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: c.HTTPHandler(http.NotFoundHandler())}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
}

// until waits for the authority, which takes its time.
func until(t *testing.T, what string, j *journal, done func() bool) {
	t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(time.Minute); !done(); <-ticker.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not in time\n%s", what, j)
		}
	}
}

func (c client) issued() bool { return !c.store.NotAfter().IsZero() }

// verify checks the serving certificate as a browser would.
func (c client) verify(t *testing.T, a *certificatetest.Pebble) {
	t.Helper()
	served, err := c.store.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	between := x509.NewCertPool()
	for _, der := range served.Certificate[1:] {
		parsed, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		between.AddCert(parsed)
	}
	if _, err := served.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: a.Roots(), Intermediates: between}); err != nil {
		t.Error(err)
	}
}

// TestACMETriesTheOtherWay: if one way is closed the other is used, and the log explains why the
// first failed.
func TestACMETriesTheOtherWay(t *testing.T) {
	t.Parallel()
	a := certificatetest.NewPebble(t, certificatetest.Options{})
	a.Start(t)
	for name, way := range map[string]struct {
		serve  func(*testing.T, client)
		failed string
	}{
		"TLS-ALPN-01": {func(t *testing.T, c client) { c.serveTLS(t, a) }, "http-01: let the authority reach its port 80"},
		"HTTP-01":     {func(t *testing.T, c client) { c.serveHTTP(t, a) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, a, func(o *ACMEOptions) { o.HTTP = true })
			way.serve(t, c)
			c.run(t)
			until(t, "a certificate", c.log, c.issued)
			c.verify(t, a)
			if way.failed != "" && c.log.count(way.failed) != 1 ||
				way.failed == "" && c.log.count("level=ERROR") != 0 {
				t.Errorf("the log: %s", c.log)
			}
			if c.validated.Load() != nil {
				t.Error("the validation is over, but is still answered")
			}
			filepath.Walk(c.options.Cache, func(path string, info os.FileInfo, err error) error {
				if err != nil || info.Mode().Perm()&0o077 != 0 {
					t.Errorf("%s has mode %v, %v: only its owner may have access", path, info.Mode(), err)
				}
				return nil
			})
		})
	}
}

// TestACMEWaitsForTheDirectory, which is down at the start and comes back.
func TestACMEWaitsForTheDirectory(t *testing.T) {
	t.Parallel()
	a := certificatetest.NewPebble(t, certificatetest.Options{})
	c := newClient(t, a, nil)
	c.serveTLS(t, a)
	c.run(t)
	until(t, "two failures", c.log, func() bool { return c.log.count("no certificate was issued") >= 2 })
	if err := c.store.Problem(); err == nil || !strings.Contains(err.Error(), "the directory cannot be read") {
		t.Errorf("the problem is %v", err)
	}
	if err := c.store.Ready(); err == nil || strings.Contains(err.Error(), a.Address) {
		t.Errorf("readiness says %v to anybody", err)
	}
	conn, err := tls.Dial("tcp", net.JoinHostPort(a.Address, strconv.Itoa(certificatetest.TLSPort)),
		&tls.Config{InsecureSkipVerify: true})
	if err == nil {
		conn.Close()
		t.Error("a handshake without a certificate")
	}
	a.Start(t)
	until(t, "a certificate", c.log, c.issued)
	c.verify(t, a)
	if err := c.store.Ready(); err != nil || c.store.Problem() != nil {
		t.Errorf("readiness says %v, the problem is %v", err, c.store.Problem())
	}
}

// TestACMEBindsTheAccount, only with the right key, and once.
func TestACMEBindsTheAccount(t *testing.T) {
	t.Parallel()
	a := certificatetest.NewPebble(t, certificatetest.Options{EAB: map[string]string{"kid-1": eabKey}})
	a.Start(t)
	key, err := base64.RawURLEncoding.DecodeString(eabKey)
	if err != nil {
		t.Fatal(err)
	}
	with := func(id string, key []byte) func(*ACMEOptions) {
		return func(o *ACMEOptions) { o.EABKeyID, o.EABKey = id, key }
	}
	for name, row := range map[string]struct {
		change func(*ACMEOptions)
		want   string
	}{
		"none": {nil, "set tls.acme.eab_key_id"},
		"a wrong key": {with("kid-1", []byte("a key of somebody else's account")),
			"no account was created (tls.acme.email, tls.acme.eab_key_id)"},
		"an unknown id": {with("kid-9", key), "no account was created"},
	} {
		c := newClient(t, a, row.change)
		c.run(t)
		until(t, name, c.log, func() bool { return c.log.count(row.want) > 0 })
		if c.log.count(eabKey) > 0 || c.issued() {
			t.Errorf("%s: %s", name, c.log)
		}
	}
	c := newClient(t, a, with("kid-1", key))
	closeTLS := c.serveTLS(t, a)
	stop := c.run(t)
	until(t, "a certificate", c.log, c.issued)
	stop()
	closeTLS()
	orders := a.Orders()
	// A restart serves the cached certificate and requests nothing.
	again := newClient(t, a, func(o *ACMEOptions) { *o = c.options })
	if serial(t, again.store) != serial(t, c.store) {
		t.Error("another certificate serves after the restart")
	}
	again.run(t)
	// If the certificate is lost, the same account gets another, without being bound again.
	if err := os.Remove(c.cache.path(name + ".pem")); err != nil {
		t.Fatal(err)
	}
	lost := newClient(t, a, func(o *ACMEOptions) { *o = c.options; o.EABKeyID, o.EABKey = "kid-9", nil })
	lost.serveTLS(t, a)
	lost.run(t)
	until(t, "a certificate", lost.log, lost.issued)
	if n := a.Orders() - orders; n != 1 || lost.log.count("level=ERROR") != 0 {
		t.Errorf("%d orders, want 1; the log: %s", n, lost.log)
	}
}

// TestACMERenews certificates, which here live for some seconds.
func TestACMERenews(t *testing.T) {
	t.Parallel()
	a := certificatetest.NewPebble(t, certificatetest.Options{Lifetime: 12 * time.Second})
	a.Start(t)
	c := newClient(t, a, nil)
	c.serveTLS(t, a)
	c.run(t)
	until(t, "a certificate", c.log, c.issued)
	for range 2 {
		first, end := serial(t, c.store), c.store.NotAfter()
		until(t, "a renewal", c.log, func() bool { return serial(t, c.store) != first })
		if left := time.Until(end); left <= 0 {
			t.Errorf("renewed %v after the end", -left)
		}
		c.verify(t, a)
	}
	if c.log.count("level=ERROR") != 0 {
		t.Error(c.log)
	}
}

func TestACMETakesItsTime(t *testing.T) {
	a := certificatetest.NewCA(t)
	for _, lifetime := range []time.Duration{90 * day, 6 * day, time.Hour} {
		s, _ := newStore()
		begin := time.Now()
		lives := func(c *x509.Certificate) { c.NotBefore, c.NotAfter = begin, begin.Add(lifetime) }
		if err := s.Replace(a.Issue(t, name, lives)); err != nil {
			t.Fatal(err)
		}
		earliest, latest := lifetime, time.Duration(0)
		for range 1000 {
			left := s.NotAfter().Sub(renewal(s.Leaf()))
			earliest, latest = min(earliest, left), max(latest, left)
		}
		third := lifetime / 3
		if earliest < third-2*time.Second || latest > third+third/10+2*time.Second ||
			latest-earliest < third/20 {
			t.Errorf("%v are renewed %v to %v before their end", lifetime, latest, earliest)
		}
	}
	c := &ACME{retry: firstRetry}
	refused := fmt.Errorf("the order: %w", &acme.Error{ProblemType: "urn:ietf:params:acme:error:rateLimited", Header: http.Header{"Retry-After": {"86400"}}})
	for _, row := range []struct {
		failures int
		err      error
		want     time.Duration
	}{
		{0, errors.New("refused"), time.Minute},
		{1, errors.New("refused"), 2 * time.Minute},
		{5, errors.New("refused"), 32 * time.Minute},
		{6, errors.New("refused"), time.Hour},
		{10_000, errors.New("refused"), time.Hour},
		{0, refused, 24 * time.Hour},
	} {
		if got := c.pause(row.failures, row.err); got < row.want || got > row.want+row.want/4 {
			t.Errorf("after %d failures and %v: %v, want about %v", row.failures, row.err, got, row.want)
		}
	}
}

// TestACMEAnswersOnlyTheAuthority, and only while it validates the name.
func TestACMEAnswersOnlyTheAuthority(t *testing.T) {
	s, _ := newStore()
	c := &ACME{store: s}
	asked := func(server string, protocols ...string) bool {
		settings, err := c.Validation(&tls.ClientHelloInfo{ServerName: server, SupportedProtos: protocols})
		if err != nil {
			t.Fatal(err)
		}
		return settings != nil
	}
	fetched := func(path string) string {
		w := httptest.NewRecorder()
		c.HTTPHandler(http.NotFoundHandler()).ServeHTTP(w,
			httptest.NewRequest("GET", "http://"+name+path, nil))
		return w.Body.String()
	}
	if asked(name, acme.ALPNProto) || fetched("") == "answer" {
		t.Error("there is an answer although nothing is being validated")
	}
	c.validated.Store(&challenge{certificate: new(tls.Certificate)})
	for _, row := range []struct {
		server    string
		protocols []string
		want      bool
	}{
		{name, []string{acme.ALPNProto}, true},
		{"Relay.Example.org", []string{acme.ALPNProto}, true},
		{name, []string{acme.ALPNProto, "http/1.1"}, false},
		{name, []string{"http/1.1"}, false},
		{name, nil, false},
		{"www.example.org", []string{acme.ALPNProto}, false},
		{"", []string{acme.ALPNProto}, false},
	} {
		if got := asked(row.server, row.protocols...); got != row.want {
			t.Errorf("%q with %q: %v", row.server, row.protocols, got)
		}
	}
	c.validated.Store(&challenge{path: "/.well-known/acme-challenge/token", body: "answer"})
	if asked(name, acme.ALPNProto) || fetched("/") == "answer" ||
		fetched("/.well-known/acme-challenge/other") == "answer" {
		t.Error("there is an answer to another request")
	}
	if got := fetched("/.well-known/acme-challenge/token"); got != "answer" {
		t.Errorf("the authority is told %q", got)
	}
}

// TestAnotherDirectoryHasAnotherCache: a trial's certificate must not serve in production.
func TestAnotherDirectoryHasAnotherCache(t *testing.T) {
	root := t.TempDir()
	text := []byte("a pair")
	var folders []cache
	for _, directory := range []string{"https://trial.example.org/directory",
		"https://ca.example.org/directory", "https://ca.example.org/acme/directory",
		"https://ca.example.org:8443/directory"} {
		c, err := openCache(root, directory)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(folders, c) || filepath.Dir(string(c)) != root {
			t.Errorf("%s is kept in %s", directory, c)
		}
		if got, err := c.loadPair(name); got != nil || err != nil {
			t.Errorf("%s has %q, %v", directory, got, err)
		}
		if err := c.savePair(name, text); err != nil {
			t.Fatal(err)
		}
		key, err := c.accountKey()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := c.accountKey(); err != nil ||
			!again.Public().(*ecdsa.PublicKey).Equal(key.Public()) {
			t.Errorf("%s: another key the second time, %v", directory, err)
		}
		folders = append(folders, c)
	}
	if err := os.WriteFile(folders[0].path("account.key"), []byte("spoilt"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := folders[0].accountKey(); err == nil ||
		!strings.Contains(err.Error(), "delete it to get a new account") {
		t.Errorf("a broken key: %v", err)
	}
}
