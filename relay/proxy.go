package relay

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pires/go-proxyproto"
)

// proxyHeaderBuffer holds the longest header of version 1, which has 107 bytes and must
// arrive at once, and what most of version 2 need.
const proxyHeaderBuffer = 256

// unproxied takes the header off a connection that a trusted proxy made, so that its
// addresses are the client's. Others are left as they are: they cannot claim any.
func (l *streamListener) unproxied(r *Relay, conn net.Conn) (net.Conn, bool) {
	from := streamAddr(conn.RemoteAddr()).Addr()
	if !slices.ContainsFunc(l.proxies, func(p netip.Prefix) bool { return p.Contains(from) }) {
		return conn, true
	}
	release, ok := r.handshakes.Admit(from)
	if !ok {
		return nil, false
	}
	defer release()
	if conn.SetReadDeadline(time.Now().Add(firstMessageTime)) != nil {
		return nil, false
	}
	reader := bufio.NewReaderSize(conn, proxyHeaderBuffer)
	if _, err := reader.Peek(1); errors.Is(err, io.EOF) {
		return nil, false // it asked whether anybody is there
	}
	header, err := proxyproto.Read(reader)
	if err != nil {
		r.proxyRefusals.add(invalidHeader, from)
		return nil, false
	}
	rest, _ := reader.Peek(reader.Buffered())
	behind := &sniffedConn{conn, rest}
	if header.Command.IsLocal() { // the proxy itself, or a client that it cannot name
		return behind, true
	}
	if !streamAddr(header.SourceAddr).IsValid() || !streamAddr(header.DestinationAddr).IsValid() {
		r.proxyRefusals.add(invalidHeader, from)
		return nil, false
	}
	return proxiedConn{behind, header.SourceAddr, header.DestinationAddr}, true
}

// proxiedConn is a connection that a proxy made for a client.
type proxiedConn struct {
	net.Conn
	client, server net.Addr
}

func (c proxiedConn) RemoteAddr() net.Addr { return c.client }
func (c proxiedConn) LocalAddr() net.Addr  { return c.server }

// Reasons to refuse a connection for its PROXY header.
const (
	invalidHeader   = "invalid"   // none, or a wrong one, from where one is required
	untrustedHeader = "untrusted" // one from where none is taken
)

// ProxyRefusals are connections that were refused for their PROXY headers since the start.
type ProxyRefusals struct {
	Reason string
	Times  uint64
	Last   netip.Addr // whose was refused
}

// ProxyRefusals returns those of all reasons.
func (r *Relay) ProxyRefusals() []ProxyRefusals {
	return []ProxyRefusals{r.proxyRefusals.of(invalidHeader), r.proxyRefusals.of(untrustedHeader)}
}

type proxyRefusals struct {
	mu       sync.Mutex
	byReason map[string]ProxyRefusals
}

func (p *proxyRefusals) add(reason string, from netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byReason == nil {
		p.byReason = map[string]ProxyRefusals{}
	}
	p.byReason[reason] = ProxyRefusals{reason, p.byReason[reason].Times + 1, from}
}

func (p *proxyRefusals) of(reason string) ProxyRefusals {
	p.mu.Lock()
	defer p.mu.Unlock()
	refused := p.byReason[reason]
	refused.Reason = reason
	return refused
}

// noteUntrusted counts a connection that began with what only a PROXY header does, where
// TLS or STUN was expected: a proxy that the configuration does not name.
func (r *Relay) noteUntrusted(first []byte, from netip.Addr) {
	// No more of it is needed, nor does TLS tell more.
	const enough = 5
	if bytes.HasPrefix(first, proxyproto.SIGV1) || len(first) >= enough && bytes.HasPrefix(proxyproto.SIGV2, first[:enough]) {
		r.proxyRefusals.add(untrustedHeader, from)
	}
}

// beginning returns the bytes that were no beginning of TLS, if that is why it failed.
func beginning(failed error) []byte {
	if record, ok := errors.AsType[tls.RecordHeaderError](failed); ok {
		return record.RecordHeader[:]
	}
	return nil
}
