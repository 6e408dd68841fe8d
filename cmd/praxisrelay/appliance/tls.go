package appliance

import (
	"crypto/tls"

	"praxisrelay/relay/certificate"
)

// tlsConfig follows BSI TR-02102-2: TLS 1.3, and 1.2 only with forward secrecy and AEAD. The key
// exchange is the library's default, with the post-quantum hybrid first.
func tlsConfig(pair *certificate.Store) *tls.Config {
	return &tls.Config{
		GetCertificate: pair.GetCertificate,
		MinVersion:     tls.VersionTLS12,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
	}
}
