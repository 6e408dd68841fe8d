package check

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"
	"sync"

	"github.com/pion/stun/v2"
)

// Target is the appliance being checked, and what the probes have learned about it.
type Target struct {
	Host string // its name or address
	// Family restricts the address family; empty: either.
	Family Family
	HTTPS  uint16 // port of its page
	Ports  Ports
	Proxy  Proxy          // nil: none
	Roots  *x509.CertPool // nil: the system's
	// Insecure trusts any certificate; only for the demo.
	Insecure bool
	// Pinned trusts only certificates for Key, whoever issued them.
	Pinned bool
	// Judge, if set, returns the faults that browsers find with a chain, leaf first, to be kept as
	// the value "findings", and an error if all browsers refuse it.
	Judge func(chain []*x509.Certificate) (findings any, refused error)
	// Username and Password are a TURN credential.
	Username, Password string
	// Servers are the ICE servers that clients are given, including a credential.
	Servers []*stun.URI
	// Key is the SHA-256 of the appliance's public key, if known, and KeyFrom its source: see
	// [Target.Certificate].
	Key     []byte
	KeyFrom KeySource

	mu        sync.Mutex
	addresses []netip.Addr
	answering map[uint16]netip.AddrPort    // UDP port -> the address that answers there
	leaves    map[uint16]*x509.Certificate // TLS port -> the certificate shown there
}

// Family is an address family, as package net writes it after ip, tcp and udp.
type Family string

// The families.
const (
	IPv4 Family = "4"
	IPv6 Family = "6"
)

// String returns, for example, IPv4.
func (f Family) String() string { return "IPv" + string(f) }

// KeySource is the source of the appliance's key.
type KeySource string

// The sources, the most trustworthy first.
const (
	FromFlag KeySource = "fingerprint" // the user has it on paper
	FromCode KeySource = "code"        // sealed with the code, which nobody on the way knows
	// FromInfo means that the appliance itself published it. An interceptor could change it, so
	// only a difference proves anything.
	FromInfo KeySource = "info"
)

// id is the ID of a probe of a way.
func (w Way) id(what string) string { return fmt.Sprintf("%s-%s-%d", what, w.Transport, w.Port) }

// String returns, for example, 443/TCP (TLS).
func (w Way) String() string {
	switch w.Transport {
	case UDP:
		return fmt.Sprintf("%d/UDP", w.Port)
	case TLS:
		return fmt.Sprintf("%d/TCP (TLS)", w.Port)
	}
	return fmt.Sprintf("%d/TCP", w.Port)
}

// stream is the TCP connection below a way.
func (w Way) stream() Way { return Way{TCP, w.Port} }

// lowest is the ID of the probe of a way's lowest layer.
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
