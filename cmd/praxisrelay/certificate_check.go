package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"praxisrelay/config"
	"praxisrelay/relay/certificate"
)

// certificateWarnings names what is odd about a certificate that can be used, each
// with its key in front.
func certificateWarnings(c config.Config, now time.Time) (warnings []error) {
	if c.TLS.ACME.Directory != "" {
		return nil // there may be none yet
	}
	pair, err := tls.LoadX509KeyPair(c.TLS.Certificate, c.TLS.Key)
	if err != nil {
		return nil // a mistake, and named as one
	}
	warn := func(key, format string, args ...any) {
		warnings = append(warnings, fmt.Errorf("tls."+key+": "+format, args...))
	}
	leaf := pair.Leaf
	if certificate.EndsSoon(leaf, now) {
		warn("certificate", "%s ends on %s: renew it", c.TLS.Certificate, leaf.NotAfter.Format(time.DateOnly))
	}
	for _, doubt := range certificate.Doubts(leaf) {
		warn("certificate", "%s: %s", c.TLS.Certificate, doubt)
	}
	if problem := chainProblem(pair, now); problem != "" {
		warn("certificate", "%s: %s", c.TLS.Certificate, problem)
	}
	if info, err := os.Stat(c.TLS.Key); err == nil && info.Mode().Perm()&0o007 != 0 {
		warn("key", "everybody on this host may read %s: chmod o= %s", c.TLS.Key, c.TLS.Key)
	}
	return warnings
}

// chainProblem says why clients may not trust the certificate, judged with this
// host's roots, or nothing.
func chainProblem(pair tls.Certificate, now time.Time) string {
	chain := []*x509.Certificate{pair.Leaf}
	intermediates := x509.NewCertPool()
	for _, der := range pair.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			chain = append(chain, c)
			intermediates.AddCert(c)
		}
	}
	_, err := pair.Leaf.Verify(x509.VerifyOptions{Intermediates: intermediates, CurrentTime: now})
	if err == nil {
		return ""
	}
	if certificate.SelfSigned(pair.Leaf) {
		return "" // which is said apart
	}
	last := chain[len(chain)-1]
	if bytes.Equal(last.RawIssuer, last.RawSubject) {
		return fmt.Sprintf("this host does not know the authority %q: make sure that all clients do", last.Subject.CommonName)
	}
	return fmt.Sprintf("the chain ends at %q, whose issuer %q this host does not know: append the issuer's certificate to the file, or make sure that all clients know it",
		last.Subject.CommonName, last.Issuer.CommonName)
}
