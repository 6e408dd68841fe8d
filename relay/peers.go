package relay

import (
	"errors"
	"net"
	"net/netip"
	"syscall"

	"praxisrelay/relay/core"
	"praxisrelay/relay/policy"
)

// peers is what the open relay has beside: a socket for every relayed address, and
// the policy of who is reached.
type peers struct {
	policy     policy.Policy
	local4     netip.Addr // what sockets are bound to; clients may be told another
	local6     netip.Addr
	public     []netip.Addr // what they are told
	all, bound int          // ports
}

// setOwn tells the policy the appliance's own addresses.
func (p *peers) setOwn(host []netip.Addr) {
	p.policy.Own = append(host, p.public...)
}

// bind opens the socket of a relayed address for the core, which holds the lock.
func (r *Relay) bind(relayed netip.AddrPort) error {
	network, local := "udp4", r.peers.local4
	if relayed.Addr().Is6() {
		network, local = "udp6", r.peers.local6
	}
	conn, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, relayed.Port())))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return core.ErrTaken
	case err != nil:
		return err
	}
	r.relayed.Store(relayed, conn)
	r.peers.bound++
	r.relaying.Go(func() { r.receive(relayed, conn) })
	return nil
}

// release closes it.
func (r *Relay) release(relayed netip.AddrPort) {
	if conn, ok := r.relayed.Load(relayed); ok {
		conn.Close()
		r.relayed.Delete(relayed)
		r.peers.bound--
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
		out[0].client, out[0].data = r.core.Receive(r.now(), relayed, plain(peer), in[:n], scratch)
		if len(out[0].data) > 0 {
			r.send(out)
		}
	}
}

// Ports returns how many relayed ports are free, and of how many. In the paired
// relay, which has no ports to run out of, both are zero.
func (r *Relay) Ports() (free, all int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.peers.all - r.peers.bound, r.peers.all
}

// HostAddresses returns the addresses of the host's interfaces.
func HostAddresses() (own []netip.Addr) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, addr := range addrs {
		if prefix, err := netip.ParsePrefix(addr.String()); err == nil {
			own = append(own, prefix.Addr().Unmap().WithZone(""))
		}
	}
	return own
}
