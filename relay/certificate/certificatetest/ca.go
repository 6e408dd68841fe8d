// Package certificatetest has authorities for tests: one that issues what it is told to,
// and pebble, which validates first.
package certificatetest

import (
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

// CA issues certificates without asking.
type CA struct {
	PEM         []byte // its own certificate
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// NewCA makes an authority for ten years from an hour ago.
func NewCA(t testing.TB) CA {
	t.Helper()
	return Named(t, "an authority")
}

// Named is NewCA with a name of its own.
func Named(t testing.TB, name string) CA {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0), KeyUsage: x509.KeyUsageCertSign,
	}
	var ca CA
	ca.certificate, ca.key = sign(t, template, CA{certificate: template})
	ca.PEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.certificate.Raw})
	return ca
}

// Between makes an authority that this one vouches for.
func (ca CA) Between(t testing.TB, name string) CA {
	t.Helper()
	template := leaf(t, "", func(c *x509.Certificate) {
		c.Subject, c.IsCA, c.BasicConstraintsValid, c.KeyUsage = pkix.Name{CommonName: name}, true, true, x509.KeyUsageCertSign
	})
	var between CA
	between.certificate, between.key = sign(t, template, ca)
	between.PEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: between.certificate.Raw})
	return between
}

// Issue makes a certificate for a name or an address, which lives for 90 days since an
// hour ago unless change says otherwise. The chain ends with the authority's own.
func (ca CA) Issue(t testing.TB, name string, change func(*x509.Certificate)) (chainPEM, keyPEM []byte) {
	t.Helper()
	template := leaf(t, name, change)
	certificate, key := sign(t, template, ca)
	chainPEM, keyPEM = encode(t, certificate, key)
	return append(chainPEM, ca.PEM...), keyPEM
}

// SelfSigned makes a certificate that nobody vouches for, as Issue does else.
func SelfSigned(t testing.TB, name string, change func(*x509.Certificate)) (certificatePEM, keyPEM []byte) {
	t.Helper()
	template := leaf(t, name, change)
	certificate, key := sign(t, template, CA{certificate: template})
	return encode(t, certificate, key)
}

// Pool trusts the authority alone.
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
	template := &x509.Certificate{SerialNumber: serial, NotBefore: begin, NotAfter: begin.Add(90 * 24 * time.Hour)}
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

// sign makes a certificate for a new key. An issuer without a key is the certificate itself.
func sign(t testing.TB, template *x509.Certificate, by CA) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if by.key == nil {
		by.key = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.certificate, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, key
}

func encode(t testing.TB, certificate *x509.Certificate, key *ecdsa.PrivateKey) (certificatePEM, keyPEM []byte) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
