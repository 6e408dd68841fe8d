// Package certificatetest has authorities for tests: one that issues whatever it is asked for, and
// pebble, which validates first.
package certificatetest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"
)

// CA issues certificates without validation.
type CA struct {
	PEM         []byte // its own certificate
	certificate *x509.Certificate
	key         crypto.Signer
}

// NewCA makes an authority, valid for ten years from an hour ago.
func NewCA(t testing.TB) CA {
	t.Helper()
	return Named(t, "an authority")
}

// Named is NewCA with a given name.
func Named(t testing.TB, name string) CA {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true,
		BasicConstraintsValid: true,
		NotBefore:             time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
		KeyUsage: x509.KeyUsageCertSign,
	}
	key := Key(t)
	return newCA(sign(t, template, key, CA{certificate: template, key: key}), key)
}

// Between makes an intermediate authority signed by this one, modified by change.
func (ca CA) Between(t testing.TB, name string, change func(*x509.Certificate)) CA {
	t.Helper()
	return ca.BetweenFor(t, Key(t), name, change)
}

// BetweenFor is Between with the caller's key.
func (ca CA) BetweenFor(t testing.TB, key crypto.Signer, name string, change func(*x509.Certificate)) CA {
	t.Helper()
	template := leaf(t, "", func(c *x509.Certificate) {
		c.Subject, c.KeyUsage = pkix.Name{CommonName: name}, x509.KeyUsageCertSign
		c.IsCA, c.BasicConstraintsValid = true, true
		c.ExtKeyUsage = nil
		if change != nil {
			change(c)
		}
	})
	return newCA(sign(t, template, key, ca), key)
}

func newCA(certificate *x509.Certificate, key crypto.Signer) CA {
	return CA{pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}), certificate, key}
}

// Issue makes a certificate for a name or an address, valid for 90 days from an hour ago unless
// change says otherwise. The chain ends with the authority's own certificate.
func (ca CA) Issue(t testing.TB, name string, change func(*x509.Certificate)) (chainPEM, keyPEM []byte) {
	t.Helper()
	return ca.IssueFor(t, Key(t), name, change)
}

// IssueFor is Issue with the caller's key.
func (ca CA) IssueFor(
	t testing.TB, key crypto.Signer, name string, change func(*x509.Certificate),
) (chainPEM, keyPEM []byte) {
	t.Helper()
	chainPEM, keyPEM = encode(t, sign(t, leaf(t, name, change), key, ca), key)
	return append(chainPEM, ca.PEM...), keyPEM
}

// SelfSigned is Issue for a self-signed certificate.
func SelfSigned(t testing.TB, name string, change func(*x509.Certificate)) (certificatePEM, keyPEM []byte) {
	t.Helper()
	template, key := leaf(t, name, change), Key(t)
	return encode(t, sign(t, template, key, CA{certificate: template, key: key}), key)
}

// Pool trusts only this authority.
func (ca CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.certificate)
	return pool
}

func leaf(t testing.TB, name string, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now().Add(-time.Hour)
	template := &x509.Certificate{
		SerialNumber: serial, NotBefore: begin, NotAfter: begin.Add(90 * 24 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else if name != "" {
		template.DNSNames = []string{name}
	}
	if change != nil {
		change(template)
	}
	return template
}

// Key makes a key of a kind that every browser accepts.
func Key(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t testing.TB, template *x509.Certificate, key crypto.Signer, by CA) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, by.certificate, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func encode(t testing.TB, certificate *x509.Certificate, key crypto.Signer) (certificatePEM, keyPEM []byte) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
