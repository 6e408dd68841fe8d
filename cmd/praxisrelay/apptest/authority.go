package apptest

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/pion/stun/v3"

	"praxisrelay/relay/certificate/certificatetest"
)

// Issued is a certificate with its key, both in PEM.
type Issued struct{ Certificate, Key string }

// SelfSigned makes a self-signed certificate for a name or an address.
func SelfSigned(t testing.TB, name string, changes ...func(*x509.Certificate)) Issued {
	t.Helper()
	certificate, key := certificatetest.SelfSigned(t, name, func(c *x509.Certificate) {
		for _, change := range changes {
			change(c)
		}
	})
	return Issued{string(certificate), string(key)}
}

// Write writes the certificate and its key into a new folder.
func (i Issued) Write(t *testing.T) (certificate, key string) {
	t.Helper()
	folder := t.TempDir()
	certificate, key = filepath.Join(folder, "chain.pem"), filepath.Join(folder, "key.pem")
	WriteFile(t, certificate, i.Certificate, 0o644)
	WriteFile(t, key, i.Key, 0o600)
	return certificate, key
}

// ApplianceName is the DNS name of appliances that have one.
const ApplianceName = "relay.example.org"

// IssueFrom makes a certificate for ApplianceName, from an authority with the given name.
func IssueFrom(t *testing.T, name string) (authority string, made Issued) {
	t.Helper()
	ca := certificatetest.Named(t, name)
	chain, key := ca.Issue(t, ApplianceName, func(c *x509.Certificate) {
		c.Subject, c.KeyUsage = pkix.Name{CommonName: ApplianceName}, x509.KeyUsageDigitalSignature
	})
	return string(ca.PEM), Issued{string(chain), string(key)}
}

// BindOverTLS sends a Binding request over a new TLS connection. The session ticket arrives with
// the response.
func BindOverTLS(address netip.AddrPort, c *tls.Config) (tls.ConnectionState, error) {
	c.InsecureSkipVerify, c.ServerName = true, "demo" // sessions are remembered by it
	conn, err := tls.Dial("tcp", address.String(), c)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	if _, err := conn.Write(stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw); err != nil {
		return tls.ConnectionState{}, err
	}
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	_, err = conn.Read(make([]byte, 100))
	return conn.ConnectionState(), err
}

// ReplaceCertificate gives an appliance a certificate for another name or address.
func ReplaceCertificate(t *testing.T, folder, name string) {
	t.Helper()
	made := SelfSigned(t, name)
	WriteFile(t, filepath.Join(folder, "cert.pem"), made.Certificate, 0o600)
	WriteFile(t, filepath.Join(folder, "key.pem"), made.Key, 0o600)
}
