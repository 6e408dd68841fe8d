package check

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
)

// Fingerprint is the SHA-256 of the public key that a certificate is for (of its
// SubjectPublicKeyInfo): a renewed certificate may keep it. That of no certificate is nil.
func Fingerprint(certificate *x509.Certificate) []byte {
	if certificate == nil {
		return nil
	}
	sum := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
	return sum[:]
}

// isFor returns an error unless a certificate is for the key of that fingerprint.
func isFor(key []byte, certificate *x509.Certificate) error {
	if shown := Fingerprint(certificate); !bytes.Equal(key, shown) {
		return fail(Intercepted, "a certificate of the key %x was expected, one of %x was shown, issued by %s",
			key, shown, certificate.Issuer)
	}
	return nil
}

// TrustKey trusts certificates for the key of that fingerprint alone, whoever issued
// them. For another the handshake fails with the reason [Intercepted].
func TrustKey(name string, key []byte) *tls.Config {
	return &tls.Config{
		ServerName:         name,
		InsecureSkipVerify: true, // an authority could say less than the key does
		VerifyConnection:   func(state tls.ConnectionState) error { return isFor(key, state.PeerCertificates[0]) },
	}
}
