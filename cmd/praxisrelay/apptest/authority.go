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

// SignedFor makes a certificate for a name or an address that vouches for itself.
func SignedFor(t testing.TB, name string, changes ...func(*x509.Certificate)) Issued {
	t.Helper()
	certificate, key := certificatetest.SelfSigned(t, name, func(c *x509.Certificate) {
		for _, change := range changes {
			change(c)
		}
	})
	return Issued{string(certificate), string(key)}
}

// Write puts them into a folder of their own.
func (i Issued) Write(t *testing.T) (certificate, key string) {
	t.Helper()
	folder := t.TempDir()
	certificate, key = filepath.Join(folder, "chain.pem"), filepath.Join(folder, "key.pem")
	WriteFile(t, certificate, i.Certificate, 0o644)
	WriteFile(t, key, i.Key, 0o600)
	return certificate, key
}

const CheckedName = "relay.example.org"

// IssueBy makes a certificate of the appliance's name by an authority of a name.
func IssueBy(t *testing.T, name string) (authority string, made Issued) {
	t.Helper()
	ca := certificatetest.Named(t, name)
	chain, key := ca.Issue(t, CheckedName, func(c *x509.Certificate) {
		c.Subject, c.KeyUsage = pkix.Name{CommonName: CheckedName}, x509.KeyUsageDigitalSignature
	})
	return string(ca.PEM), Issued{string(chain), string(key)}
}

// AskOverTLS asks a Binding request over a new connection. A ticket comes with the answer.
func AskOverTLS(address netip.AddrPort, c *tls.Config) (tls.ConnectionState, error) {
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
