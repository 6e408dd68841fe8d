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

// proxyHeaderBuffer holds the longest header of version 1, which has 107 bytes and must arrive at
// once, and most headers of version 2.
const proxyHeaderBuffer = 256

// unproxied removes the header from a trusted proxy's connection, so that its addresses are the
// client's. Other connections are left unchanged: they cannot claim an address.
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
		return nil, false // a health check of the proxy
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
	invalidHeader   = "invalid"   // none, or a wrong one, where one is required
	untrustedHeader = "untrusted" // one where none is allowed
)

// ProxyRefusals counts connections refused for their PROXY headers since the start.
type ProxyRefusals struct {
	Reason string
	Times  uint64
	Last   netip.Addr // the address last refused
}

// ProxyRefusals returns the counts of all reasons.
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

// noteUntrusted counts a connection that began with a PROXY header where TLS or STUN was expected:
// from a proxy that the configuration does not name.
func (r *Relay) noteUntrusted(first []byte, from netip.Addr) {
	// This many bytes are enough, and TLS keeps no more.
	const enough = 5
	if bytes.HasPrefix(first, proxyproto.SIGV1) ||
		len(first) >= enough && bytes.HasPrefix(proxyproto.SIGV2, first[:enough]) {
		r.proxyRefusals.add(untrustedHeader, from)
	}
}

// beginning returns the first bytes of a failed handshake, if it failed because they were not TLS.
func beginning(failed error) []byte {
	if record, ok := errors.AsType[tls.RecordHeaderError](failed); ok {
		return record.RecordHeader[:]
	}
	return nil
}
