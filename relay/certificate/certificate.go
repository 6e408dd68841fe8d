// Package certificate keeps the one certificate that every TLS listener serves, and replaces it
// while connections run: a handshake uses the pair that serves when it begins, and established
// connections are not affected.
//
//	certificate.go   which pairs are accepted
//	judge.go         the faults that clients find with a certificate
//	store.go         the serving pair
//	watch.go         new pairs from files
//	expiry.go        log messages about it, and warnings before its end
//	acme.go          new pairs from an authority: when, and answers to its validation
//	order.go         one order
//	cache.go         the account and pairs on disk
//
// A new pair is checked before it replaces one that works. A fault is reported once, and the old
// pair stays in service.
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

// Check returns the fault for which servers of name never accept a pair at the time now, with its
// remedy; nil: none.
func Check(name string, chainPEM, keyPEM []byte, now time.Time) error {
	_, _, err := check(name, chainPEM, keyPEM, now)
	return err
}

func check(name string, chainPEM, keyPEM []byte, now time.Time) (tls.Certificate, []*x509.Certificate,
	error) {
	pair, chain, err := Parse(chainPEM, keyPEM)
	if err == nil {
		if f := fault(name, chain[0], now); f != nil {
			err = errors.New(f.Text)
		}
	}
	return pair, chain, err
}

// Parse reads a pair: a chain, leaf first, and the leaf's key, both PEM. The error includes a
// remedy.
func Parse(chainPEM, keyPEM []byte) (pair tls.Certificate, chain []*x509.Certificate, err error) {
	if bytes.Contains(keyPEM, []byte("ENCRYPTED")) {
		return pair, nil, errors.New("the key is encrypted: write it without a passphrase")
	}
	if pair, err = tls.X509KeyPair(chainPEM, keyPEM); err != nil {
		return pair, nil, fmt.Errorf("the chain and the key do not match (%w): give the chain with the server's "+
			"own certificate first, and the key that it was made for", err)
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
