package sitecheck_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/relay/certificate/certificatetest"
)

// TestCertificateWarnings checks that config check reports what clients would refuse, judged with
// the host's roots, and reports nothing for a good certificate.
func TestCertificateWarnings(t *testing.T) {
	t.Parallel()
	root := certificatetest.NewCA(t)
	between := root.Between(t, "The one between", nil)
	roots := filepath.Join(t.TempDir(), "roots.pem")
	apptest.WriteFile(t, roots, string(root.PEM), 0o600)
	noChange := func(*x509.Certificate) {}
	for name, test := range map[string]struct {
		change func(*x509.Certificate)
		more   string
		roots  string
		want   string
	}{
		"good":          {noChange, string(between.PEM), roots, ""},
		"with the root": {noChange, string(between.PEM) + string(root.PEM), roots, ""},
		"incomplete": {noChange, "", roots,
			`cert.pem: the chain ends at "The leaf", whose issuer "The one between" this host does not know (x509: certificate signed by unknown authority), and clients that do not know it either refuse the chain: append`},
		"one that does not fit": {noChange, string(root.Between(t, "The one between", nil).PEM), roots,
			`cert.pem: "The one between" did not sign "The leaf", another key with that name did: put the chain`},
		"for three years": {func(c *x509.Certificate) { c.NotAfter = c.NotBefore.AddDate(3, 0, 0) },
			string(between.PEM), roots,
			"cert.pem: it is valid for 1096 days, and iPhones, iPads and Safari refuse more than 825"},
		"an unknown one": {noChange, string(between.PEM) + string(root.PEM), "/nonexistent",
			`cert.pem: this host does not know the authority "an authority"`},
		"soon over": {func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().AddDate(0, 0, -80), time.Now().AddDate(0, 0, 20)
		}, string(between.PEM), roots, "renew it"},
	} {
		t.Run(name, func(t *testing.T) {
			file, folder := apptest.WriteConfig(t)
			chain, key := between.Issue(t, apptest.Loopback, func(c *x509.Certificate) {
				c.Subject = pkix.Name{CommonName: "The leaf"}
				test.change(c)
			})
			alone := strings.TrimSuffix(string(chain), string(between.PEM))
			apptest.WriteFile(t, filepath.Join(folder, "cert.pem"), alone+test.more, 0o600)
			apptest.WriteFile(t, filepath.Join(folder, "key.pem"), string(key), 0o600)
			c := apptest.Program("config", "check", "--config", file)
			c.Env = append(c.Env, "SSL_CERT_FILE="+test.roots, "SSL_CERT_DIR=/nonexistent")
			out, err := c.CombinedOutput()
			said := strings.Count(string(out), ": tls.")
			if err != nil || said > 1 || (said == 0) != (test.want == "") ||
				!strings.Contains(string(out), test.want) {
				t.Errorf("%v\n%s\nwant %q", err, out, test.want)
			}
		})
	}
	file, folder := apptest.WriteConfig(t)
	key := filepath.Join(folder, "key.pem")
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	if stdout, _, err := apptest.Run(t, "config", "check", "--config", file); err != nil ||
		!strings.Contains(stdout, "tls.key: everybody on this host may read "+key) {
		t.Errorf("%v %s", err, stdout)
	}
}

// TestWhereNobodyCouldConnect checks that a certificate that no browser accepts is a mistake to
// config check, to init, and to a reload that would replace another certificate. The daemon starts
// with it, since it may have run with it before, and reports everywhere why nobody connects.
func TestWhereNobodyCouldConnect(t *testing.T) {
	t.Parallel()
	const reason = "its key is Ed25519, which no browser accepts: get one"
	file, folder := apptest.WriteConfig(t)
	ca := certificatetest.NewCA(t)
	s := apptest.NewServed(folder)
	s.CA = filepath.Join(folder, "ca.pem")
	apptest.WriteFile(t, s.CA, string(ca.PEM), 0o600)
	put := func(chain, key []byte) {
		apptest.WriteFile(t, filepath.Join(folder, "cert.pem"), string(chain), 0o600)
		apptest.WriteFile(t, filepath.Join(folder, "key.pem"), string(key), 0o600)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	bad, badKey := ca.IssueFor(t, edwards, apptest.Loopback, nil)
	put(bad, badKey)
	exits := func(want int, says string, args ...string) {
		t.Helper()
		stdout, stderr, err := apptest.Run(t, args...)
		code := 0
		if exited, ok := errors.AsType[*exec.ExitError](err); ok {
			code = exited.ExitCode()
		}
		if code != want || !strings.Contains(stdout+stderr, says) {
			t.Errorf("%v: %d, want %d and %q\n%s%s", args, code, want, says, stdout, stderr)
		}
	}
	cert, key := filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	exits(1, "tls.certificate: "+cert+": "+reason, "config", "check", "--config", file)
	fresh := filepath.Join(t.TempDir(), "praxisrelay.yaml")
	exits(1, reason, "init", "--non-interactive", "--name", apptest.Loopback, "--cert", cert,
		"--key", key, "--config", fresh)
	if _, err := os.Stat(fresh); err == nil {
		t.Error("init has written a configuration")
	}

	s.Daemon = apptest.Start(t, apptest.Program("serve", "--config", file), true, s.Serving)
	exits(2, "not ready: certificate: "+reason, "status", "--check", "--socket", s.Socket)
	exits(0, "not accepted by all: "+reason, "status", "--socket", s.Socket)
	for path, want := range map[string]string{"/readyz": reason,
		"/metrics": "praxisrelay_certificate_problems 1"} {
		response, err := http.Get(s.Monitoring + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if !strings.Contains(string(body), want) {
			t.Errorf("%s says %s", path, body)
		}
	}
	check := []string{"check", s.URL, "--ca", s.CA, "--quick", "--proxy", "none", "--code", "BBBB-BBBB-BBBB"}
	exits(3, "no browser accepts the certificate ("+reason, check...)
	exits(3, "kein Browser nimmt das Zertifikat an (Sein Schlüssel", append(check, "--lang", "de")...)

	put(ca.Issue(t, apptest.Loopback, func(c *x509.Certificate) {
		c.NotAfter = c.NotBefore.AddDate(3, 0, 0)
	}))
	exits(0, "", "reload", "--config", file, "--socket", s.Socket)
	exits(1, "WARNING - the certificate is not accepted by all: it is valid for 1096 days", "status",
		"--check", "--socket", s.Socket)
	exits(1, "it is valid for 1096 days, and iPhones", check...) // no appointment has the code
	put(bad, badKey)
	exits(1, reason, "reload", "--config", file, "--socket", s.Socket)
	exits(1, "WARNING - the last reload failed", "status", "--check", "--socket", s.Socket)
	s.Stop(t)
	if log := s.Stderr.String(); !strings.Contains(log,
		`level=ERROR msg="no browser accepts the certificate" reason="`+reason) {
		t.Errorf("the log says\n%s", log)
	}
}

// TestEndedRootsAreWarnedOf checks that an expired root for ACME's directory gives a warning.
func TestEndedRootsAreWarnedOf(t *testing.T) {
	t.Parallel()
	file, folder := apptest.WriteConfig(t)
	roots := filepath.Join(folder, "roots.pem")
	root := certificatetest.NewCA(t)
	ended := root.Between(t, "the former root", func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().AddDate(-10, 0, 0), time.Now().AddDate(0, 0, -1)
	})
	apptest.WriteFile(t, roots, string(root.PEM)+string(ended.PEM), 0o644)
	apptest.Edit(t, file, "name: 127.0.0.1", "name: relay.example.org",
		"tls: {certificate: "+folder+"/cert.pem, key: "+folder+"/key.pem}",
		"tls: {acme: {directory: https://127.0.0.1/dir, ca_file: "+roots+", cache: "+folder+"/acme}}")
	stdout, stderr, err := apptest.Run(t, "config", "check", "--config", file)
	if err != nil || strings.Count(stdout, "tls.acme.ca_file") != 1 ||
		!strings.Contains(stdout, `"the former root" ended on`) {
		t.Errorf("%v %s%s", err, stdout, stderr)
	}
}
