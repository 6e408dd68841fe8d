package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"praxisrelay/config"
	"praxisrelay/relay/core"
	"praxisrelay/relay/credential"
	"praxisrelay/relay/rcu"
)

// Options are what a relay is made of.
type Options struct {
	Listen config.Listen
	Relay  config.Relay
	Keys   *credential.Keyring
	// TLS has the certificate for the TLS and HTTPS listeners.
	TLS *tls.Config
	Now func() time.Time
}

// Listen binds every socket of the configuration, or none. Nothing is served
// before Serve.
func Listen(o Options) (_ *Relay, err error) {
	r := &Relay{now: o.Now, streams: rcu.New[uint64, *stream]()}
	defer func() {
		if err != nil {
			r.Close()
		}
	}()
	ip4, ip6 := relayedAddresses(o.Relay.Addresses)
	r.core, err = core.New(core.Config{
		Keys:           o.Keys,
		RelayedIPv4:    ip4,
		RelayedIPv6:    ip6,
		MaxSession:     o.Relay.MaxSession,
		MaxPerSeat:     o.Relay.MaxPerSeat,
		MaxAllocations: o.Relay.MaxAllocations,
	})
	if err != nil {
		return nil, err
	}
	for _, address := range o.Listen.TURNUDP {
		if err := r.listenUDP(address); err != nil {
			return nil, fmt.Errorf("listen.turn_udp: %w", err)
		}
	}
	for _, address := range o.Listen.TURNTCP {
		if _, err := r.listenStream(address, core.TCP, nil); err != nil {
			return nil, fmt.Errorf("listen.turn_tcp: %w", err)
		}
	}
	for _, address := range o.Listen.TURNTLS {
		if _, err := r.listenStream(address, core.TLS, o.TLS); err != nil {
			return nil, fmt.Errorf("listen.turn_tls: %w", err)
		}
	}
	if r.https, err = r.listenStream(o.Listen.HTTPS, core.TLS, o.TLS); err != nil {
		return nil, fmt.Errorf("listen.https: %w", err)
	}
	r.https.http = &httpListener{conns: make(chan net.Conn), closed: make(chan struct{}), addr: r.https.Addr()}
	return r, nil
}

func (r *Relay) listenUDP(address string) error {
	conn, err := net.ListenPacket("udp", address)
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

func (r *Relay) listenStream(address string, transport core.Transport, config *tls.Config) (*streamListener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	l := &streamListener{Listener: listener, index: uint16(len(r.stream)), transport: transport}
	if transport == core.TLS {
		l.tls = config.Clone()
		l.tls.NextProtos = []string{"http/1.1", "stun.turn", "stun.nat-discovery"}
	}
	r.stream = append(r.stream, l)
	return l, nil
}

// Addresses are where a relay listens.
type Addresses struct {
	UDP, TCP, TLS []netip.AddrPort
	HTTPS         netip.AddrPort
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
}

// relayedAddresses returns what relayed addresses are made of. In a paired relay
// nobody sends to them, so any address of the host that a client's ICE accepts
// will do.
func relayedAddresses(configured []netip.Addr) (ip4, ip6 netip.Addr) {
	if len(configured) == 0 {
		configured = []netip.Addr{outgoing("udp4", "192.0.2.1:9"), outgoing("udp6", "[2001:db8::1]:9")}
		if !configured[0].IsValid() {
			configured[0] = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		}
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

// streamListener is one TCP, TLS or HTTPS listener.
type streamListener struct {
	net.Listener
	index     uint16
	transport core.Transport
	tls       *tls.Config
	http      *httpListener // where HTTP goes, on the shared port
}

// serve accepts connections until the listener is closed, and then ends them.
func (l *streamListener) serve(r *Relay) error {
	var (
		mu      sync.Mutex
		open    = map[net.Conn]bool{}
		running sync.WaitGroup
	)
	defer func() {
		mu.Lock()
		for conn := range open {
			conn.Close()
		}
		mu.Unlock()
		running.Wait()
	}()
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			// Out of descriptors, most likely: others may end meanwhile.
			time.Sleep(50 * time.Millisecond)
			continue
		}
		mu.Lock()
		open[conn] = true
		mu.Unlock()
		running.Go(func() {
			handed := l.serveConn(r, conn)
			mu.Lock()
			delete(open, conn)
			mu.Unlock()
			if !handed {
				conn.Close()
			}
		})
	}
}

// serveConn serves one connection until it ends, or hands it to HTTP and returns true.
func (l *streamListener) serveConn(r *Relay, conn net.Conn) (handed bool) {
	if l.tls == nil {
		r.serveStream(conn, l.transport, l.index, nil)
		return false
	}
	secured := tls.Server(conn, l.tls)
	deadline := time.Now().Add(firstMessageTime)
	if conn.SetDeadline(deadline) != nil || secured.HandshakeContext(context.Background()) != nil {
		return false
	}
	var first [1]byte
	n := 0
	if l.http != nil && secured.ConnectionState().NegotiatedProtocol != "stun.turn" {
		// STUN begins with two zero bits and a small method, HTTP with a letter.
		// ALPN or SNI cannot be asked: for TURN browsers send neither.
		var err error
		if n, err = secured.Read(first[:]); err != nil || n == 0 {
			return false
		}
		if first[0] > 0x01 {
			return conn.SetDeadline(time.Time{}) == nil && l.http.hand(&sniffedConn{secured, first[:n]})
		}
	}
	if conn.SetDeadline(time.Time{}) != nil {
		return false
	}
	r.serveStream(secured, l.transport, l.index, first[:n])
	return false
}

// httpListener is a net.Listener of connections that were accepted elsewhere.
type httpListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	addr   net.Addr
}

func (h *httpListener) hand(conn net.Conn) bool {
	select {
	case h.conns <- conn:
		return true
	case <-h.closed:
		return false
	}
}

func (h *httpListener) Accept() (net.Conn, error) {
	select {
	case conn := <-h.conns:
		return conn, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *httpListener) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

func (h *httpListener) Addr() net.Addr { return h.addr }

// sniffedConn gives back what was read to look at.
type sniffedConn struct {
	net.Conn
	first []byte
}

func (c *sniffedConn) Read(b []byte) (int, error) {
	if len(c.first) > 0 {
		n := copy(b, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	return c.Conn.Read(b)
}
