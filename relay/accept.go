package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math"
	"net"
	"net/netip"
	"sync"
	"time"

	"praxisrelay/config/network/shares"
	"praxisrelay/relay/core"
)

// validationProtocol is the ALPN protocol of an authority that validates a name (RFC 8737, section
// 6.2).
const validationProtocol = "acme-tls/1"

// streamListener is one TCP, TLS, HTTPS or HTTP listener.
type streamListener struct {
	net.Listener
	transport core.Transport
	tls       *tls.Config
	proxies   []netip.Prefix
	http      *httpListener // receives HTTP, on the shared port and the one without TLS
}

// serve accepts connections until the listener is closed, and then ends them all.
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
			// Most likely out of file descriptors: connections may end meanwhile.
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
	conn, ok := l.unproxied(r, conn)
	if !ok || conn.SetDeadline(time.Now().Add(firstMessageTime)) != nil {
		return false
	}
	client := streamAddr(conn.RemoteAddr()).Addr()
	release, ok := r.open.Admit(client)
	if !ok {
		return false
	}
	counted := shares.Counted{Conn: conn, Release: release}
	defer func() {
		if !handed {
			release()
		}
	}()
	if l.tls == nil && l.http != nil {
		return conn.SetDeadline(time.Time{}) == nil && l.http.hand(counted)
	}
	if l.tls == nil {
		r.serveStream(counted, l.transport, nil)
		return false
	}
	bounded := &boundedConn{counted, maxHandshake}
	secured := tls.Server(bounded, l.tls)
	if !l.handshake(r, client, secured) {
		return false
	}
	bounded.left = math.MaxInt64
	var first [1]byte
	n := 0
	protocol := secured.ConnectionState().NegotiatedProtocol
	if protocol == validationProtocol {
		return false // there is nothing after the handshake
	}
	if l.http != nil && protocol != "stun.turn" {
		// STUN begins with two zero bits and a small method, HTTP with a letter. ALPN and SNI are
		// no help: browsers send neither for TURN.
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
	r.serveStream(secured, l.transport, first[:n])
	return false
}

// handshake performs the TLS handshake, unless too many are in progress.
func (l *streamListener) handshake(r *Relay, client netip.Addr, conn *tls.Conn) bool {
	release, ok := r.handshakes.Admit(client)
	if !ok {
		return false
	}
	defer release()
	if err := conn.HandshakeContext(context.Background()); err != nil {
		r.events.failedHandshakes.Add(1)
		r.noteUntrusted(beginning(err), client)
		return false
	}
	r.events.handshakes.Add(1)
	return true
}

// maxHandshake bounds the bytes that a client sends in the TLS handshake. A ClientHello with
// post-quantum keys has two thousand; the library would collect 64 kB.
const maxHandshake = 8 << 10

// boundedConn reads as ended after left bytes.
type boundedConn struct {
	net.Conn
	left int64
}

func (c *boundedConn) Read(b []byte) (int, error) {
	if c.left <= 0 {
		return 0, io.EOF
	}
	n, err := c.Conn.Read(b[:min(int64(len(b)), c.left)])
	c.left -= int64(n)
	return n, err
}

// httpListener is a net.Listener for connections that were accepted elsewhere.
type httpListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	addr   net.Addr
}

func newHTTPListener(addr net.Addr) *httpListener {
	return &httpListener{conns: make(chan net.Conn), closed: make(chan struct{}), addr: addr}
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

// sniffedConn returns the bytes already read before those of the connection.
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
