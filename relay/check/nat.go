package check

import (
	"context"
	"net"
	"net/netip"
)

// Kinds of mapping (RFC 5780, section 4.3; RFC 4787, section 4.1).
const (
	NoNAT               = "none"
	EndpointDependent   = "port-dependent"    // a different one per address and port: "symmetric"
	AddressDependent    = "address-dependent" // a different one per address
	EndpointIndependent = "independent"       // always the same
	SamePorts           = "not-by-port"       // the same for two ports of one address; nothing more is known
)

// NAT finds out how this network's NAT maps: whether two ports of the appliance, and a second
// address if it has one, see the same mapped address.
func (t *Target) NAT() Probe {
	var needs []string
	for i, port := range t.Ports.UDP {
		if i < 2 {
			needs = append(needs, Way{UDP, port}.id("connect"))
		}
	}
	return Probe{ID: "nat", Needs: needs, Run: func(ctx context.Context) (Values, error) {
		if len(t.Ports.UDP) < 2 {
			return nil, Skip(NoReference)
		}
		t.mu.Lock()
		first := t.answering[t.Ports.UDP[0]]
		t.mu.Unlock()
		second := netip.AddrPortFrom(first.Addr(), t.Ports.UDP[1])
		socket, err := net.ListenPacket("udp", "")
		if err != nil {
			return nil, err
		}
		defer socket.Close()
		one, other, _, err := bind(ctx, socket, first)
		if err != nil {
			return nil, err
		}
		two, _, _, err := bind(ctx, socket, second)
		if err != nil {
			return nil, err
		}
		kind := SamePorts
		switch {
		case one == netip.AddrPortFrom(outgoing(first), uint16(socket.LocalAddr().(*net.UDPAddr).Port)):
			kind = NoNAT
		case one != two:
			kind = EndpointDependent
		case other.IsValid() && other.Addr() != first.Addr():
			third, _, _, err := bind(ctx, socket, netip.AddrPortFrom(other.Addr(), first.Port()))
			if err != nil {
				break // that address may be closed, since clients do not use it
			}
			if kind = EndpointIndependent; third != one {
				kind = AddressDependent
			}
		}
		return Values{"mapping": kind, "mapped": one.String()}, nil
	}}
}

// outgoing is this host's own address for reaching another one. Nothing is sent.
func outgoing(towards netip.AddrPort) netip.Addr {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(towards))
	if err != nil {
		return netip.Addr{}
	}
	defer conn.Close()
	return plain(conn.LocalAddr()).Addr()
}
