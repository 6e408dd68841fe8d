package page

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/cmd/praxisrelay/sitecheck"
	"praxisrelay/relay/certificate"
	"praxisrelay/relay/certificate/certificatetest"
)

// judgedCertificate is a certificate made for the test, and the expected finding.
type judgedCertificate struct {
	what, name string
	chain, key []byte
	id         string // of the expected finding; empty if none
	by         certificate.RefusedBy
	chromium   bool // Chromium refuses the certificate
}

const aDay = 24 * time.Hour

// judgedCertificates come from an authority that both the judge and the browser know.
func judgedCertificates(t *testing.T) (root certificatetest.CA, list []judgedCertificate) {
	t.Helper()
	const (
		name    = "relay.example.org"
		refuses = true
		takes   = false
	)
	root = certificatetest.NewCA(t)
	between := root.Between(t, "between", nil)
	add := func(what, id string, by certificate.RefusedBy, chromium bool, chain, key []byte) {
		list = append(list, judgedCertificate{what, name, chain, key, id, by, chromium})
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	curve := func(c elliptic.Curve) crypto.Signer {
		key, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	bits := func(n int) crypto.Signer {
		key, err := rsa.GenerateKey(rand.Reader, n)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	long, short := bits(2048), bits(1024)

	// Keys.
	for _, row := range []struct {
		what, id string
		by       certificate.RefusedBy
		chromium bool
		key      crypto.Signer
	}{
		{"P-256", "", "", takes, certificatetest.Key(t)},
		{"P-384", "", "", takes, curve(elliptic.P384())},
		{"RSA of 2048 bits", "", "", takes, long},
		{"RSA of 1024 bits", "short-key", certificate.Some, takes, short},
		{"P-521", "curve", certificate.Some, refuses, curve(elliptic.P521())},
		{"P-224", "key", certificate.All, refuses, curve(elliptic.P224())},
		{"Ed25519", "key", certificate.All, refuses, edwards},
	} {
		chain, key := between.IssueFor(t, row.key, name, nil)
		add(row.what, row.id, row.by, row.chromium, chain, key)
	}

	// What a certificate claims.
	extension := func(critical bool, value []byte, id ...int) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier(id), Critical: critical,
				Value: value}}
		}
	}
	lives := func(days int) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.NotAfter = c.NotBefore.AddDate(0, 0, days) }
	}
	usage := func(usages ...x509.ExtKeyUsage) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.ExtKeyUsage = usages }
	}
	keyUsage := func(u x509.KeyUsage) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.KeyUsage = u }
	}
	is := func(names ...string) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.DNSNames = names }
	}
	dated := func(begin, end time.Duration) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(begin), time.Now().Add(end)
		}
	}
	for _, row := range []struct {
		what, id string
		by       certificate.RefusedBy
		chromium bool
		change   func(*x509.Certificate)
	}{
		{"825 days", "", "", takes, lives(825)},
		{"826 days", "lifetime", certificate.Some, takes, lives(826)},
		{"five years of before Apple's rules", "", "", takes, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter, c.ExtKeyUsage = time.Date(2019, 6, 30, 0, 0, 0, 0,
				time.UTC), time.Now().Add(aDay), nil
		}},
		{"a common name only", "name", certificate.All, refuses, func(c *x509.Certificate) {
			c.DNSNames, c.Subject.CommonName = nil, name
		}},
		{"another name", "name", certificate.All, refuses, is("www.example.org")},
		{"a wildcard", "", "", takes, is("*.example.org")},
		{"a wildcard two labels up", "name", certificate.All, refuses, is("*.org")},
		{"a part of a label", "name", certificate.All, refuses, is("rel*.example.org")},
		{"ended", "ended", certificate.All, refuses, dated(-2*aDay, -aDay)},
		{"not begun", "not-begun", certificate.All, refuses, dated(aDay, 2*aDay)},
		{"for no use", "usage", certificate.Some, takes, usage()},
		{"for any use", "usage", certificate.Some, takes, usage(x509.ExtKeyUsageAny)},
		{"for clients", "usage", certificate.All, refuses, usage(x509.ExtKeyUsageClientAuth)},
		{"a key to sign", "", "", takes, keyUsage(x509.KeyUsageDigitalSignature)},
		{"a key to agree", "key-usage", certificate.Some, refuses, keyUsage(x509.KeyUsageKeyAgreement)},
		{"a key to sign certificates", "key-usage", certificate.All, refuses, keyUsage(x509.KeyUsageCertSign)},
		{"an authority's", "authority", certificate.Some, takes, func(c *x509.Certificate) {
			c.IsCA, c.BasicConstraintsValid = true, true
		}},
		{"signed with SHA-1", "signature", certificate.All, refuses, func(c *x509.Certificate) {
			c.SignatureAlgorithm = x509.ECDSAWithSHA1
		}},
		{"must-staple", "must-staple", certificate.Some, takes,
			extension(false, []byte{0x30, 3, 2, 1, 5}, 1, 3, 6, 1, 5, 5, 7, 1, 24)},
		{"something critical that nobody knows", "chain", certificate.All, refuses, extension(true, []byte{5, 0}, 1, 2, 3, 4)},
	} {
		chain, key := between.Issue(t, name, row.change)
		add(row.what, row.id, row.by, row.chromium, chain, key)
	}
	chain, key := certificatetest.SelfSigned(t, name, nil)
	add("signed by itself", "self-signed", certificate.Some, refuses, chain, key)

	// Short names, and addresses.
	for _, row := range []struct {
		what, name, id string
		by             certificate.RefusedBy
		chromium       bool
		change         func(*x509.Certificate)
	}{
		{"a wildcard of a top-level domain", "relay.lan", "name", certificate.All, refuses, is("*.lan")},
		{"an address", "127.0.0.1", "", "", takes, nil},
		{"an address as a name", "127.0.0.1", "name", certificate.All, refuses, func(c *x509.Certificate) {
			c.IPAddresses, c.DNSNames = nil, []string{"127.0.0.1"}
		}},
		{"another address", "127.0.0.1", "name", certificate.All, refuses, func(c *x509.Certificate) {
			c.IPAddresses = []net.IP{{127, 0, 0, 2}}
		}},
	} {
		chain, key := between.Issue(t, row.name, row.change)
		list = append(list, judgedCertificate{row.what, row.name, chain, key, row.id, row.by, row.chromium})
	}

	// Chains.
	by := func(what, id string, refusedBy certificate.RefusedBy, chromium bool, chain ...certificatetest.CA) {
		text, key := chain[0].Issue(t, name, nil)
		for _, ca := range chain[1:] {
			text = append(text, ca.PEM...)
		}
		add(what, id, refusedBy, chromium, text, key)
	}
	below := between.Between(t, "below", nil)
	first := root.Between(t, "first", func(c *x509.Certificate) { c.MaxPathLenZero = true })
	by("two between", "", "", takes, below, between)
	by("the root too", "", "", takes, between, root)
	by("a stranger too", "", "", takes, between, certificatetest.Named(t, "a stranger"))
	by("an issuer that is missing", "incomplete", certificate.Some, refuses, below)
	by("an issuer that ended", "chain", certificate.All, refuses,
		root.Between(t, "ended", dated(-2*aDay, -aDay)))
	by("an issuer that has not begun", "chain", certificate.All, refuses,
		root.Between(t, "not begun", dated(aDay, 2*aDay)))
	by("an issuer that is not an authority", "chain", certificate.All, refuses,
		root.Between(t, "none", func(c *x509.Certificate) { c.IsCA = false }))
	by("an issuer for clients", "chain", certificate.All, refuses,
		root.Between(t, "for clients", usage(x509.ExtKeyUsageClientAuth)))
	by("an issuer for another domain", "chain", certificate.All, refuses,
		root.Between(t, "constrained", func(c *x509.Certificate) {
			c.PermittedDNSDomains, c.PermittedDNSDomainsCritical = []string{"example.com"}, true
		}))
	by("an issuer signed with SHA-1", "signature", certificate.All, refuses,
		root.Between(t, "sha1", func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }))
	by("an issuer with Ed25519", "signature", certificate.All, refuses,
		root.BetweenFor(t, edwards, "edwards", nil))
	by("an issuer with P-521", "", "", takes, root.BetweenFor(t, curve(elliptic.P521()), "p521", nil))
	by("an issuer with a short key", "short-key", certificate.Some, takes,
		root.BetweenFor(t, short, "short", nil))
	by("a chain that is too long", "chain", certificate.Some, refuses, first.Between(t, "second", nil), first)

	chain, key = below.Issue(t, name, nil)
	alone := chain[:len(chain)-len(below.PEM)]
	add("another order", "", "", takes, slices.Concat(alone, between.PEM, below.PEM), key)
	chain, key = between.Issue(t, name, nil)
	alone = chain[:len(chain)-len(between.PEM)]
	add("an issuer that does not fit", "misfit", certificate.Some, refuses,
		slices.Concat(alone, root.Between(t, "between", nil).PEM), key)
	chain, key = root.BetweenFor(t, long, "rsa", nil).Issue(t, name, func(c *x509.Certificate) {
		c.SignatureAlgorithm = x509.SHA256WithRSAPSS
	})
	add("signed with RSA-PSS", "", "", takes, chain, key)
	return root, list
}

// TestCertificatesAreJudged checks that each fault is reported with the clients that refuse it, and
// that a good certificate gives no finding.
func TestCertificatesAreJudged(t *testing.T) {
	t.Parallel()
	root, list := judgedCertificates(t)
	for _, c := range list {
		_, chain, err := certificate.Parse(c.chain, c.key)
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		found := certificate.Judge(c.name, chain, root.Pool(), time.Now())
		if want := (c.id != ""); len(found) > 1 || (len(found) == 1) != want ||
			want && (found[0].ID != c.id || found[0].By != c.by) {
			t.Errorf("%s: %+v, want %q by %q", c.what, found, c.id, c.by)
		}
		for _, f := range found {
			if sitecheck.Finding(f, "de") == "" {
				t.Errorf("%s has no words in German", f.ID)
			}
		}
	}
}

// TestChromiumJudgesAlike checks that Chromium refuses what, according to the findings, every
// browser refuses, and accepts what has no finding.
func TestChromiumJudgesAlike(t *testing.T) {
	t.Parallel()
	root, list := judgedCertificates(t)
	home := t.TempDir()
	trust(t, filepath.Join(home, ".pki", "nssdb"), root)
	servers := map[string]string{}
	for _, c := range list {
		pair, _, err := certificate.Parse(c.chain, c.key)
		if err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
		server.Config.ErrorLog = log.New(io.Discard, "", 0) // refused connections are part of the test
		server.StartTLS()
		t.Cleanup(server.Close)
		_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
		servers[c.what] = "https://" + net.JoinHostPort(c.name, port)
	}
	page := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(page.Close)

	b := apptest.StartChromium(t, "", "chromium", []string{"HOME=" + home},
		"--host-resolver-rules=MAP relay.example.org 127.0.0.1, MAP relay.lan 127.0.0.1")
	b.Load(t, page.URL)
	text, err := json.Marshal(servers)
	if err != nil {
		t.Fatal(err)
	}
	var refused map[string]bool
	b.Eval(t, fmt.Sprintf(`Promise.all(Object.entries(%s).map(
		([what, url]) => fetch(url, { mode: 'no-cors' }).then(() => [what, false], () => [what, true]),
	)).then(Object.fromEntries)`, text), &refused)
	for _, c := range list {
		if got, tried := refused[c.what]; !tried || got != c.chromium {
			t.Errorf("%s: refused %v, want %v", c.what, got, c.chromium)
		}
		if c.by == certificate.All && !c.chromium || c.by == "" && c.chromium {
			t.Errorf("%s: refused by %q, and by Chromium: %v", c.what, c.by, c.chromium)
		}
	}
}

// trust adds an authority to a new NSS store for Chromium or Firefox.
func trust(t *testing.T, folder string, ca certificatetest.CA) {
	t.Helper()
	certutil := apptest.Tool(t, "certutil", "libnss3-tools")
	file := filepath.Join(t.TempDir(), "ca.pem")
	apptest.WriteFile(t, file, string(ca.PEM), 0o600)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"-N --empty-password", "-A -n root -t C,, -i " + file} {
		c := exec.Command(certutil, append(strings.Fields(args), "-d", "sql:"+folder)...)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("certutil %s: %v: %s", args, err, out)
		}
	}
}
