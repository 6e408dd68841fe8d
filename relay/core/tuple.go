package core

import "net/netip"

// Transport is how a client reaches the relay.
type Transport uint8

// The transports of RFC 8656, section 3.1. DTLS is not served.
const (
	UDP Transport = iota
	TCP
	TLS
	// Relayed stands for a peer of the open relay: Client is the peer, Server the
	// relayed address that it talks to.
	Relayed
)

func (t Transport) String() string { return [...]string{"udp", "tcp", "tls", "relayed"}[t] }

// FiveTuple names a client: RFC 8656's 5-tuple, and what tells apart two clients
// that would share one.
type FiveTuple struct {
	Client    netip.AddrPort
	Server    netip.AddrPort
	Transport Transport
	// Listener is the UDP socket that the client came to.
	Listener uint16
	// Conn numbers the connections of streams, so that a port which is used
	// again is another client.
	Conn uint64
}
