package secrets

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"time"

	"praxisrelay/config"
	"praxisrelay/relay/certificate"
)

// CertificateProblems returns what is wrong with a certificate that the daemon would accept anyway:
// mistakes keep every client away, warnings do not. Each error begins with its configuration key.
func CertificateProblems(c config.Config, now time.Time) (mistakes, warnings []error) {
	if c.TLS.ACME.Directory != "" {
		return nil, endedRoots(c.TLS.ACME.CAFile, now) // there may be no certificate yet
	}
	chainPEM, keyPEM, err := ReadPair(c, FromDisk)
	if err != nil {
		return nil, nil // reported elsewhere as a mistake
	}
	_, chain, err := certificate.Parse(chainPEM, keyPEM)
	if err != nil || certificate.Check(c.Name, chainPEM, keyPEM, now) != nil {
		return nil, nil // likewise
	}
	about := func(key, format string, args ...any) error {
		return fmt.Errorf("tls."+key+": "+format, args...)
	}
	leaf := chain[0]
	if certificate.EndsSoon(leaf, now) {
		warnings = append(warnings, about("certificate", "%s ends on %s: renew it", c.TLS.Certificate,
			leaf.NotAfter.Format(time.DateOnly)))
	}
	for _, f := range certificate.Judge(c.Name, chain, nil, now) {
		err := about("certificate", "%s: %s", c.TLS.Certificate, f.Text)
		if f.By == certificate.All {
			mistakes = append(mistakes, err)
		} else {
			warnings = append(warnings, err)
		}
	}
	if info, err := os.Stat(c.TLS.Key); err == nil && info.Mode().Perm()&0o007 != 0 {
		warnings = append(warnings, about("key", "everybody on this host may read %s: %s", c.TLS.Key,
			hide(c.TLS.Key)))
	}
	return mistakes, warnings
}

// endedRoots warns of expired authorities, which can no longer vouch for ACME's directory.
func endedRoots(file string, now time.Time) (warnings []error) {
	text, _ := FromDisk(file, false) // a read error is reported elsewhere as a mistake
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return warnings
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil && now.After(c.NotAfter) {
			warnings = append(warnings,
				fmt.Errorf("tls.acme.ca_file: %s: %q ended on %s: replace it with the authority's "+
					"current root", file, c.Subject.CommonName, c.NotAfter.Format(time.DateOnly)))
		}
	}
}
