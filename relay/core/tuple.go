package core

import "net/netip"

// Transport is how a client reaches the relay.
type Transport uint8

// The transports of RFC 8656, section 3.1. DTLS is not served.
const (
	UDP Transport = iota
	TCP
	TLS
	// Relayed marks a peer of the open relay: Client is the peer, Server the relayed address that
	// it talks to.
	Relayed
)

func (t Transport) String() string { return [...]string{"udp", "tcp", "tls", "relayed"}[t] }

// FiveTuple identifies a client: RFC 8656's 5-tuple, and what distinguishes clients that would
// otherwise share one.
type FiveTuple struct {
	Client    netip.AddrPort
	Server    netip.AddrPort
	Transport Transport
	// Listener is the UDP socket that received the client's packets.
	Listener uint16
	// Conn numbers stream connections, so that a reused port is a new client.
	Conn uint64
}
