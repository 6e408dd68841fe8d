package relay

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"time"

	"praxisrelay/config"
	"praxisrelay/config/network/shares"
	"praxisrelay/relay/core"
	"praxisrelay/relay/credential"
	"praxisrelay/relay/policy"
	"praxisrelay/relay/probe"
	"praxisrelay/relay/rcu"
)

// Options are what a relay is made of.
type Options struct {
	Listen config.Listen
	Relay  config.Relay
	Keys   *credential.Keyring
	// TLS has the certificate for the TLS and HTTPS listeners.
	TLS *tls.Config
	// Validation, if any, is asked first on the HTTPS port: it answers an authority that
	// validates the name by TLS-ALPN-01.
	Validation func(*tls.ClientHelloInfo) (*tls.Config, error)
	Now        func() time.Time
	// Sockets binds the listeners; nil: they are bound as package net does it.
	Sockets Sockets
	// Observe is told what happens to clients; see core.Config.
	Observe func(core.Event)
}

// Sockets binds listeners, or has them from who started the process.
type Sockets interface {
	Listen(network, address string) (net.Listener, error)
	ListenPacket(network, address string) (net.PacketConn, error)
}

type ownSockets struct{}

func (ownSockets) Listen(network, address string) (net.Listener, error) {
	return net.Listen(network, address)
}

func (ownSockets) ListenPacket(network, address string) (net.PacketConn, error) {
	return net.ListenPacket(network, address)
}

// Listen binds every socket of the configuration, or none. Nothing is served
// before Serve.
func Listen(o Options) (_ *Relay, err error) {
	r := &Relay{
		now:        o.Now,
		streams:    rcu.New[uint64, *stream](),
		relayed:    rcu.New[netip.AddrPort, *net.UDPConn](),
		open:       shares.New(o.Listen.MaxConnections, o.Listen.MaxConnectionsPerPrefix),
		handshakes: shares.New(o.Listen.MaxHandshakes, handshakesPerPrefix(o.Listen)),
	}
	if o.Sockets == nil {
		o.Sockets = ownSockets{}
	}
	defer func() {
		if err != nil {
			r.Close()
		}
	}()
	for _, address := range o.Listen.TURNUDP {
		if err := r.listenUDP(o.Sockets, address); err != nil {
			return nil, fmt.Errorf("listen.turn_udp: %w", err)
		}
	}
	settings, err := r.coreConfig(o)
	if err != nil {
		return nil, err
	}
	if r.core, err = core.New(settings); err != nil {
		return nil, err
	}
	for _, address := range o.Listen.TURNTCP {
		if _, err := r.listenStream(o, address, core.TCP); err != nil {
			return nil, fmt.Errorf("listen.turn_tcp: %w", err)
		}
	}
	for _, address := range o.Listen.TURNTLS {
		if _, err := r.listenStream(o, address, core.TLS); err != nil {
			return nil, fmt.Errorf("listen.turn_tls: %w", err)
		}
	}
	if r.https, err = r.listenStream(o, o.Listen.HTTPS, core.TLS); err != nil {
		return nil, fmt.Errorf("listen.https: %w", err)
	}
	r.https.http = newHTTPListener(r.https.Addr())
	r.https.tls.GetConfigForClient = o.Validation
	if o.Listen.HTTP != "" {
		if r.plain, err = r.listenStream(o, o.Listen.HTTP, core.TCP); err != nil {
			return nil, fmt.Errorf("listen.http: %w", err)
		}
		r.plain.http = newHTTPListener(r.plain.Addr())
	}
	return r, nil
}

// coreConfig is the configuration as the core wants it. The UDP sockets are bound
// by now.
func (r *Relay) coreConfig(o Options) (core.Config, error) {
	c := core.Config{
		Keys:       o.Keys,
		MaxSession: o.Relay.MaxSession,
		Limits:     coreLimits(o.Relay),
		Observe:    o.Observe,
	}
	public := o.Relay.PublicAddress
	if !public.IsValid() { // else the addresses that RFC 5780 asks for are a NAT's
		for _, socket := range r.udp {
			c.Listeners = append(c.Listeners, socket.local)
		}
	}
	c.RelayedIPv4, c.RelayedIPv6 = relayedAddresses(o.Relay.Addresses)
	if o.Relay.Peers == config.Open {
		ports := o.Relay.Ports
		r.peers = peers{
			open:   true,
			policy: policy.Policy{Allow: o.Relay.Allow, Deny: o.Relay.Deny},
			local4: c.RelayedIPv4,
			local6: c.RelayedIPv6,
			all:    int(ports.Last) - int(ports.First) + 1,
		}
		c.Open = &core.Open{
			FirstPort: ports.First, LastPort: ports.Last,
			Bind: r.bind, Release: r.release, Permits: r.peers.policy.Permits, MinPeerPort: policy.MinPort,
		}
		own, err := probe.HostAddresses()
		if err == nil {
			err = r.peers.check(public)
		}
		if err != nil {
			return c, err
		}
		defer func() { r.peers.setOwn(own) }()
	} else if !c.RelayedIPv4.IsValid() {
		// Clients that ask for nothing else want IPv4, and the paired relay needs no
		// address of its own for it: RFC 7600's dummy serves on a host without.
		c.RelayedIPv4 = netip.AddrFrom4([4]byte{192, 0, 0, 8})
	}
	switch {
	case public.Is4():
		c.RelayedIPv4 = public
	case public.Is6():
		c.RelayedIPv6 = public
	}
	r.peers.public = []netip.Addr{c.RelayedIPv4, c.RelayedIPv6}
	return c, nil
}

func (r *Relay) listenUDP(sockets Sockets, address string) error {
	conn, err := sockets.ListenPacket("udp", address)
	if err != nil {
		return err
	}
	socket, err := newUDPSocket(uint16(len(r.udp)), conn.(*net.UDPConn))
	if err != nil {
		conn.Close()
		return err
	}
	r.udp = append(r.udp, socket)
	return nil
}

func (r *Relay) listenStream(o Options, address string, transport core.Transport) (*streamListener, error) {
	listener, err := o.Sockets.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	l := &streamListener{Listener: listener, transport: transport, proxies: o.Listen.ProxyProtocolFrom}
	if transport == core.TLS {
		l.tls = o.TLS.Clone()
		l.tls.NextProtos = []string{"http/1.1", "stun.turn", "stun.nat-discovery"}
	}
	r.stream = append(r.stream, l)
	return l, nil
}

// Addresses are where a relay listens.
type Addresses struct {
	UDP, TCP, TLS []netip.AddrPort
	HTTPS         netip.AddrPort
	HTTP          netip.AddrPort // without TLS; not valid: nowhere
}

// Addresses returns the bound addresses, in the configuration's order.
func (r *Relay) Addresses() Addresses {
	var a Addresses
	for _, socket := range r.udp {
		a.UDP = append(a.UDP, socket.local)
	}
	for _, l := range r.stream {
		local := streamAddr(l.Addr())
		switch {
		case l == r.https:
			a.HTTPS = local
		case l == r.plain:
			a.HTTP = local
		case l.transport == core.TLS:
			a.TLS = append(a.TLS, local)
		default:
			a.TCP = append(a.TCP, local)
		}
	}
	return a
}

// HTTP returns a listener of those connections to the HTTPS port that do not
// speak TURN, with TLS already taken off.
func (r *Relay) HTTP() net.Listener { return r.https.http }

// PlainHTTP returns a listener of the connections to the port without TLS, which are
// limited as all are; nil where there is none.
func (r *Relay) PlainHTTP() net.Listener {
	if r.plain == nil {
		return nil
	}
	return r.plain.http
}

// Close closes every socket and connection.
func (r *Relay) Close() {
	for _, socket := range r.udp {
		socket.conn.Close()
	}
	for _, l := range r.stream {
		l.Close()
		if l.http != nil {
			l.http.Close()
		}
	}
	r.endAll()
}

func (r *Relay) endAll() {
	if r.core == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.core.Close(r.now())
}

// relayedAddresses returns what relayed addresses are made of: the configured
// addresses, or those that the host has towards the world.
func relayedAddresses(configured []netip.Addr) (ip4, ip6 netip.Addr) {
	if len(configured) == 0 {
		configured = []netip.Addr{outgoing("udp4", "192.0.2.1:9"), outgoing("udp6", "[2001:db8::1]:9")}
	}
	for _, addr := range configured {
		switch {
		case addr.Is4():
			ip4 = addr
		case addr.Is6():
			ip6 = addr
		}
	}
	return ip4, ip6
}

// outgoing asks the routing table for the host's own address towards another
// one. Nothing is sent.
func outgoing(network, towards string) netip.Addr {
	conn, err := net.Dial(network, towards)
	if err != nil {
		return netip.Addr{}
	}
	defer conn.Close()
	return plain(conn.LocalAddr().(*net.UDPAddr).AddrPort()).Addr()
}
