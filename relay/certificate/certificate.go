// Package certificate keeps the one certificate that every TLS listener serves, and
// changes it under running connections: a handshake takes the pair that is there when
// it begins, and what is connected is not touched.
//
//	certificate.go   which pairs are taken
//	judge.go         what clients have against a certificate
//	store.go         the pair that serves
//	watch.go         new pairs from files
//	expiry.go        what is logged of it, and warnings before its end
//	acme.go          new pairs from an authority: when, and who is answered meanwhile
//	order.go         one of them
//	cache.go         what is kept of it
//
// A new pair is checked before it takes the place of one that works. Whatever is wrong
// with it is said once, and the old pair serves on.
package certificate

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// layout of times in messages.
const layout = "2006-01-02 15:04 UTC"

// Check says what a pair is never taken for by those who serve clients that come to name
// at the time now. The error says what to do.
func Check(name string, chainPEM, keyPEM []byte, now time.Time) error {
	_, _, err := check(name, chainPEM, keyPEM, now)
	return err
}

func check(name string, chainPEM, keyPEM []byte, now time.Time) (tls.Certificate, []*x509.Certificate, error) {
	pair, chain, err := Parse(chainPEM, keyPEM)
	if err == nil {
		if f := fault(name, chain[0], now); f != nil {
			err = errors.New(f.Text)
		}
	}
	return pair, chain, err
}

// Parse reads a pair: a chain, the leaf first, and the leaf's key, both PEM. The error
// says what to do.
func Parse(chainPEM, keyPEM []byte) (pair tls.Certificate, chain []*x509.Certificate, err error) {
	if bytes.Contains(keyPEM, []byte("ENCRYPTED")) {
		return pair, nil, errors.New("the key is encrypted: write it without a passphrase")
	}
	if pair, err = tls.X509KeyPair(chainPEM, keyPEM); err != nil {
		return pair, nil, fmt.Errorf("the chain and the key are no pair (%w): give the chain with the server's own certificate first, and the key that it was made for", err)
	}
	for i, der := range pair.Certificate {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return pair, nil, fmt.Errorf("certificate %d of the chain cannot be read: %w", i+1, err)
		}
		chain = append(chain, c)
	}
	return pair, chain, nil
}
