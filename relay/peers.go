package relay

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"praxisrelay/relay/core"
	"praxisrelay/relay/policy"
)

// peers holds the open relay's additions: a socket for every relayed address, and the policy on
// peers.
type peers struct {
	open   bool
	policy policy.Policy
	local4 netip.Addr // address that sockets are bound to; clients may be given another
	local6 netip.Addr
	public []netip.Addr // addresses that clients are given
	all    int          // ports per family
	bound4 int          // ports in use
	bound6 int
}

// setOwn gives the policy the appliance's own addresses.
func (p *peers) setOwn(host []netip.Addr) {
	p.policy.Own = append(host, p.public...)
}

// bind opens the socket of a relayed address for the core, which holds the lock.
func (r *Relay) bind(relayed netip.AddrPort) error {
	local, bound := r.peers.local4, &r.peers.bound4
	if relayed.Addr().Is6() {
		local, bound = r.peers.local6, &r.peers.bound6
	}
	conn, err := listenPeer(netip.AddrPortFrom(local, relayed.Port()))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return core.ErrTaken
	case err != nil:
		return err
	}
	r.relayed.Store(relayed, conn)
	*bound++
	r.relaying.Go(func() { r.receive(relayed, conn) })
	return nil
}

// listenPeer opens a socket that can send to peers but not to a broadcast address.
func listenPeer(local netip.AddrPort) (*net.UDPConn, error) {
	network := "udp4"
	if local.Addr().Is6() {
		network = "udp6"
	}
	conn, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(local))
	if err != nil {
		return nil, err
	}
	if err := forbidBroadcast(conn); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// check reports at startup, rather than with the first client, why the open relay could not bind
// any relayed address.
func (p *peers) check(public netip.Addr) error {
	for _, local := range []netip.Addr{p.local4, p.local6} {
		if !local.IsValid() {
			continue
		}
		conn, err := listenPeer(netip.AddrPortFrom(local, 0))
		if err != nil {
			return fmt.Errorf("relay.addresses: %w", err)
		}
		conn.Close()
	}
	if public.Is4() && !p.local4.IsValid() || public.Is6() && !p.local6.IsValid() {
		return fmt.Errorf("relay.public_address: this host has no address of the family of %v "+
			"that a NAT could translate to it", public)
	}
	return nil
}

// release closes the socket of a relayed address.
func (r *Relay) release(relayed netip.AddrPort) {
	if conn, ok := r.relayed.Load(relayed); ok {
		conn.Close()
		r.relayed.Delete(relayed)
		if relayed.Addr().Is6() {
			r.peers.bound6--
		} else {
			r.peers.bound4--
		}
	}
}

// receive forwards what peers send to a relayed address until its socket is closed.
func (r *Relay) receive(relayed netip.AddrPort, conn *net.UDPConn) {
	in, scratch := make([]byte, core.MaxMessage), make([]byte, core.MaxOutput)
	out := make([]packet, 1)
	for {
		n, peer, err := conn.ReadFromUDPAddrPort(in)
		if err != nil {
			return
		}
		from := packet{core.FiveTuple{Client: plain(peer), Transport: core.Relayed}, in[:n]}
		out[0].client, out[0].data = r.core.Receive(r.now(), relayed, from.client.Client, from.data, scratch)
		if len(out[0].data) > 0 {
			var counted tally
			counted.forwarded(from, out[0])
			r.traffic.add(out[0].client, &counted)
			r.send(out)
		}
	}
}

// Ports returns the free ports and the total for relayed addresses, of the family that has fewer
// free. In the paired relay, which cannot run out of ports, both are zero.
func (r *Relay) Ports() (free, all int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.peers.all - max(r.peers.bound4, r.peers.bound6), r.peers.all
}
