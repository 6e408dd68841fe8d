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

// Options configure a relay.
type Options struct {
	Listen config.Listen
	Relay  config.Relay
	Keys   *credential.Keyring
	// TLS provides the certificate of the TLS and HTTPS listeners.
	TLS *tls.Config
	// Validation, if set, is consulted first on the HTTPS port: it answers a certificate authority
	// that validates the name with TLS-ALPN-01.
	Validation func(*tls.ClientHelloInfo) (*tls.Config, error)
	Now        func() time.Time
	// Sockets binds the listeners; nil binds them with package net.
	Sockets Sockets
	// Observe receives the events of clients; see core.Config.
	Observe func(core.Event)
}

// Sockets binds listeners, or takes them from the parent process.
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

// Listen binds all sockets of the configuration, or none. Serve starts serving.
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

// coreConfig converts the options for the core. The UDP sockets must be bound already.
func (r *Relay) coreConfig(o Options) (core.Config, error) {
	c := core.Config{
		Keys:       o.Keys,
		MaxSession: o.Relay.MaxSession,
		Limits:     coreLimits(o.Relay),
		Observe:    o.Observe,
	}
	public := o.Relay.PublicAddress
	if !public.IsValid() { // else the addresses in RFC 5780's answers would be the NAT's
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
			Bind: r.bind, Release: r.release,
			Permits: r.peers.policy.Permits, MinPeerPort: policy.MinPort,
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
		// Clients that request no family want IPv4, and the paired relay does not need an IPv4
		// address of its own: on a host without one, RFC 7600's dummy address serves.
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

// Addresses are the addresses on which a relay listens.
type Addresses struct {
	UDP, TCP, TLS []netip.AddrPort
	HTTPS         netip.AddrPort
	HTTP          netip.AddrPort // without TLS; invalid: none
}

// Addresses returns the bound addresses, in the order of the configuration.
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

// HTTP returns a listener for the connections to the HTTPS port that do not speak TURN, with TLS
// already removed.
func (r *Relay) HTTP() net.Listener { return r.https.http }

// PlainHTTP returns a listener for the connections to the port without TLS, under the same limits;
// nil if there is no such port.
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

// relayedAddresses returns the IP addresses of relayed addresses: the configured ones, or those
// from which the host reaches the internet.
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

// outgoing asks the routing table for the host's source address towards another address. Nothing is
// sent.
func outgoing(network, towards string) netip.Addr {
	conn, err := net.Dial(network, towards)
	if err != nil {
		return netip.Addr{}
	}
	defer conn.Close()
	return plain(conn.LocalAddr().(*net.UDPAddr).AddrPort()).Addr()
}
