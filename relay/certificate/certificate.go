// Package certificate keeps the one certificate that every TLS listener serves, and
// changes it under running connections: a handshake takes the pair that is there when
// it begins, and what is connected is not touched.
//
//	certificate.go   which pairs are taken
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
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"
	"time"
)

// layout of times in messages.
const layout = "2006-01-02 15:04 UTC"

// Check says what is wrong with a pair for clients that come to name at the time now:
// a chain, the leaf first, and the leaf's key, both PEM. The error says what to do.
func Check(name string, chainPEM, keyPEM []byte, now time.Time) error {
	_, err := parse(name, chainPEM, keyPEM, now)
	return err
}

func parse(name string, chainPEM, keyPEM []byte, now time.Time) (*tls.Certificate, error) {
	if bytes.Contains(keyPEM, []byte("ENCRYPTED")) {
		return nil, errors.New("the key is encrypted: write it without a passphrase")
	}
	pair, err := tls.X509KeyPair(chainPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("the chain and the key are no pair (%w): give the chain with the server's own certificate first, and the key that it was made for", err)
	}
	for i, der := range pair.Certificate[1:] {
		if _, err := x509.ParseCertificate(der); err != nil {
			return nil, fmt.Errorf("certificate %d of the chain cannot be read: %w", i+2, err)
		}
	}
	leaf := pair.Leaf
	switch {
	case leaf.VerifyHostname(name) != nil:
		return nil, fmt.Errorf("the certificate is for %s and not for %s: get one for it, or correct name", names(leaf), name)
	case now.After(leaf.NotAfter):
		return nil, fmt.Errorf("the certificate ended on %s: renew it", leaf.NotAfter.UTC().Format(layout))
	case now.Before(leaf.NotBefore):
		return nil, fmt.Errorf("the certificate begins on %s: wait, or correct this host's clock", leaf.NotBefore.UTC().Format(layout))
	}
	return &pair, nil
}

// names are those that a certificate is for.
func names(leaf *x509.Certificate) string {
	all := leaf.DNSNames
	for _, ip := range leaf.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return "no name"
	}
	return strings.Join(all, ", ")
}

// mustStaple is the TLS feature extension (RFC 7633, section 6).
var mustStaple = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}

// Doubts are what some clients will not like about a certificate that is taken all the same.
func Doubts(leaf *x509.Certificate) (list []string) {
	if SelfSigned(leaf) {
		list = append(list, "it vouches for itself: browsers warn of the page, and refuse TURN over TLS; get one from an authority that they know, your own or a public one")
	}
	for _, extension := range leaf.Extensions {
		if extension.Id.Equal(mustStaple) {
			list = append(list, "it asks for OCSP stapling (must-staple), which is not done here: some browsers will refuse it; get one without")
		}
	}
	return list
}

// SelfSigned tells whether a certificate vouches for itself alone.
func SelfSigned(leaf *x509.Certificate) bool {
	return bytes.Equal(leaf.RawIssuer, leaf.RawSubject) &&
		leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature) == nil
}
