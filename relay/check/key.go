package check

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
)

// Fingerprint is the SHA-256 of a certificate's public key (its SubjectPublicKeyInfo), which a
// renewed certificate may keep. It is nil without a certificate.
func Fingerprint(certificate *x509.Certificate) []byte {
	if certificate == nil {
		return nil
	}
	sum := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
	return sum[:]
}

// isFor returns an error unless a certificate's key has that fingerprint.
func isFor(key []byte, certificate *x509.Certificate) error {
	if shown := Fingerprint(certificate); !bytes.Equal(key, shown) {
		return fail(Intercepted, "a certificate for the key %x was expected, one for %x was shown, issued by %s",
			key, shown, certificate.Issuer)
	}
	return nil
}

// TrustKey trusts only certificates for the key with that fingerprint, whoever issued them. For any
// other the handshake fails with the reason [Intercepted].
func TrustKey(name string, key []byte) *tls.Config {
	return &tls.Config{
		ServerName:         name,
		InsecureSkipVerify: true, // the key proves more than an authority could
		VerifyConnection: func(state tls.ConnectionState) error {
			return isFor(key, state.PeerCertificates[0])
		},
	}
}
