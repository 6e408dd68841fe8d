package main

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"praxisrelay/relay/certificate/certificatetest"
)

// TestCertificateWarnings: what clients would stumble over is said, judged with the
// roots of the host, and of a good certificate nothing.
func TestCertificateWarnings(t *testing.T) {
	t.Parallel()
	root := certificatetest.NewCA(t)
	between := root.Between(t, "The one between")
	roots := filepath.Join(t.TempDir(), "roots.pem")
	writeFile(t, roots, string(root.PEM), 0o600)
	noChange := func(*x509.Certificate) {}
	for name, test := range map[string]struct {
		change func(*x509.Certificate)
		more   string
		roots  string
		want   string
	}{
		"good":           {noChange, string(between.PEM), roots, ""},
		"with the root":  {noChange, string(between.PEM) + string(root.PEM), roots, ""},
		"incomplete":     {noChange, "", roots, `cert.pem: the chain ends at "The leaf", whose issuer "The one between" this host does not know: append`},
		"an unknown one": {noChange, string(between.PEM) + string(root.PEM), "/nonexistent", `cert.pem: this host does not know the authority "an authority"`},
		"soon over": {func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().AddDate(0, 0, -80), time.Now().AddDate(0, 0, 20)
		}, string(between.PEM), roots, "renew it"},
	} {
		t.Run(name, func(t *testing.T) {
			file, folder := writeConfig(t)
			chain, key := between.Issue(t, demoHost, func(c *x509.Certificate) {
				c.Subject = pkix.Name{CommonName: "The leaf"}
				test.change(c)
			})
			alone := strings.TrimSuffix(string(chain), string(between.PEM))
			writeFile(t, filepath.Join(folder, "cert.pem"), alone+test.more, 0o600)
			writeFile(t, filepath.Join(folder, "key.pem"), string(key), 0o600)
			c := program("config", "check", "--config", file)
			c.Env = append(c.Env, "SSL_CERT_FILE="+test.roots, "SSL_CERT_DIR=/nonexistent")
			out, err := c.CombinedOutput()
			said := strings.Count(string(out), ": tls.")
			if err != nil || said > 1 || (said == 0) != (test.want == "") || !strings.Contains(string(out), test.want) {
				t.Errorf("%v\n%s\nwant %q", err, out, test.want)
			}
		})
	}
	file, folder := writeConfig(t)
	key := filepath.Join(folder, "key.pem")
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	if stdout, _, err := run(t, "config", "check", "--config", file); err != nil || !strings.Contains(stdout, "tls.key: everybody on this host may read "+key) {
		t.Errorf("%v %s", err, stdout)
	}
}
