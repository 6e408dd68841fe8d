package check

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"
	"sync"

	"github.com/pion/stun/v2"
)

// Target is the appliance that is checked, and what is learnt of it on the way.
type Target struct {
	Host string // its name or address
	// Family is the only one in which it is reached; empty: either.
	Family Family
	HTTPS  uint16 // the port of its page
	Ports  Ports
	Proxy  Proxy          // nil: none
	Roots  *x509.CertPool // nil: the system's
	// Insecure trusts any certificate: for the demo alone.
	Insecure bool
	// Pinned trusts one for Key alone, whoever issued it.
	Pinned bool
	// Judge, if there is one, finds what browsers have against a chain, the leaf first,
	// to be kept as the value "findings", and returns an error where all refuse it.
	Judge func(chain []*x509.Certificate) (findings any, refused error)
	// Username and Password are a TURN credential.
	Username, Password string
	// Servers are the ICE servers that clients are given, with a credential.
	Servers []*stun.URI
	// Key is the SHA-256 of the appliance's public key, as far as it is known, and
	// KeyFrom says from where: see [Target.Certificate].
	Key     []byte
	KeyFrom KeySource

	mu        sync.Mutex
	addresses []netip.Addr
	answering map[uint16]netip.AddrPort    // UDP port -> the address that answers there
	leaves    map[uint16]*x509.Certificate // TLS port -> what was shown there
}

// Family is a family of addresses, as package net writes it behind ip, tcp and udp.
type Family string

// The families.
const (
	IPv4 Family = "4"
	IPv6 Family = "6"
)

// String is like IPv4.
func (f Family) String() string { return "IPv" + string(f) }

// KeySource is where the appliance's key is known from.
type KeySource string

// The sources, the surest first.
const (
	FromFlag KeySource = "fingerprint" // somebody has it on paper
	FromCode KeySource = "code"        // it was sealed with the code, which nobody on the way knows
	// FromInfo is what the appliance says of itself: somebody who intercepts could
	// change it, so that only a difference is a proof.
	FromInfo KeySource = "info"
)

// id names a probe of a way.
func (w Way) id(what string) string { return fmt.Sprintf("%s-%s-%d", what, w.Transport, w.Port) }

// String is like 443/TCP (TLS).
func (w Way) String() string {
	switch w.Transport {
	case UDP:
		return fmt.Sprintf("%d/UDP", w.Port)
	case TLS:
		return fmt.Sprintf("%d/TCP (TLS)", w.Port)
	}
	return fmt.Sprintf("%d/TCP", w.Port)
}

// stream is the TCP below a way.
func (w Way) stream() Way { return Way{TCP, w.Port} }

// lowest names the probe of a way's lowest layer.
func (w Way) lowest() string {
	if w.Transport == UDP {
		return w.id("connect")
	}
	return w.stream().id("connect")
}

// page is the way to the page.
func (t *Target) page() Way { return Way{TLS, t.HTTPS} }

func (t *Target) tlsConfig() *tls.Config {
	if t.Pinned {
		return TrustKey(t.Host, t.Key)
	}
	return &tls.Config{ServerName: t.Host, RootCAs: t.Roots, InsecureSkipVerify: t.Insecure}
}
