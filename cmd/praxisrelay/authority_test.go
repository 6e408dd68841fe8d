package main

import (
	"crypto/x509"
	"path/filepath"
	"testing"

	"praxisrelay/relay/certificate/certificatetest"
)

// issued is a certificate with its key, both in PEM.
type issued struct{ certificate, key string }

// signedFor makes a certificate for a name or an address that vouches for itself.
func signedFor(t testing.TB, name string, changes ...func(*x509.Certificate)) issued {
	t.Helper()
	certificate, key := certificatetest.SelfSigned(t, name, func(c *x509.Certificate) {
		for _, change := range changes {
			change(c)
		}
	})
	return issued{string(certificate), string(key)}
}

// write puts them into a folder of their own.
func (i issued) write(t *testing.T) (certificate, key string) {
	t.Helper()
	folder := t.TempDir()
	certificate, key = filepath.Join(folder, "chain.pem"), filepath.Join(folder, "key.pem")
	writeFile(t, certificate, i.certificate, 0o644)
	writeFile(t, key, i.key, 0o600)
	return certificate, key
}
