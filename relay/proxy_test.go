package relay

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/pires/go-proxyproto"

	"praxisrelay/config"
	"praxisrelay/config/network/shares"
)

// firstWrite is a connection that sends a prefix together with its first write.
type firstWrite struct {
	net.Conn
	before string
}

func (c *firstWrite) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(append([]byte(c.before), b...))
	n -= len(c.before)
	c.before = ""
	return n, err
}

// TestProxyHeadersOfVersion1, byte for byte as nginx, HAProxy and an F5's iRule send them. Refused
// ones are counted, a proxy's health check is not.
func TestProxyHeadersOfVersion1(t *testing.T) {
	l := newLabWith(t, loopback, func(listen *config.Listen, _ *config.Relay) {
		listen.ProxyProtocolFrom = []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}
	})
	refused := func(reason string) uint64 { return l.proxyRefusals.of(reason).Times }
	addresses := l.Addresses()
	for _, listener := range []struct {
		address netip.AddrPort
		secure  bool
	}{{addresses.TCP[0], false}, {addresses.TLS[0], true}, {addresses.HTTPS, true}} {
		ask := func(source, header string) (mapped string, ok bool) {
			conn := net.Conn(&firstWrite{from(t, source, listener.address.String()), header})
			if listener.secure {
				conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
			}
			addr, ok := answers(t, conn)
			return addr.String(), ok
		}
		for header, want := range map[string]string{
			"PROXY TCP4 203.0.113.7 192.0.2.1 40000 443\r\n":               "203.0.113.7:40000",
			"PROXY TCP6 2001:db8::7 2001:db8::1 40000 443\r\n":             "[2001:db8::7]:40000",
			"PROXY TCP6 ::ffff:203.0.113.7 ::ffff:192.0.2.1 40000 443\r\n": "203.0.113.7:40000", // nginx listening on [::]
			"PROXY UNKNOWN\r\n":                                                            "127.0.0.2:", // the proxy itself
			"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n":                                "127.0.0.2:",
			"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n":                   "255.255.255.255:65535",
			"PROXY UNKNOWN " + strings.Repeat("x", 107-len("PROXY UNKNOWN \r\n")) + "\r\n": "127.0.0.2:",
		} {
			if got, ok := ask("127.0.0.2", header); !ok || !strings.HasPrefix(got, want) {
				t.Errorf("%v: after %q the client is %v (%v), want %v", listener.address, header, got,
					ok, want)
			}
		}
		before := refused(invalidHeader)
		wrong := []string{
			"", "PROXY TCP4 203.0.113.7 192.0.2.1 40000 443\n",
			"PROXY  TCP4 203.0.113.7 192.0.2.1 40000 443\r\n",
			"proxy TCP4 203.0.113.7 192.0.2.1 40000 443\r\n",
			"PROXY TCP4 2001:db8::7 2001:db8::1 40000 443\r\n",
			"PROXY TCP4 203.0.113.7 192.0.2.1 40000 65536\r\n",
			"PROXY TCP4 203.0.113.7%1 192.0.2.1 40000 443\r\n",
			"PROXY UDP4 203.0.113.7 192.0.2.1 40000 443\r\n",
			"PROXY TCP4 203.0.113.7 192.0.2.1 40000\r\n", "PROXY\r\n",
			"PROXY UNKNOWN " + strings.Repeat("x", 108-len("PROXY UNKNOWN \r\n")) + "\r\n",
		}
		for _, header := range wrong {
			if got, ok := ask("127.0.0.2", header); ok {
				t.Errorf("%v: after %q the client is %v, want none", listener.address, header, got)
			}
		}
		if n := refused(invalidHeader) - before; n != uint64(len(wrong)) {
			t.Errorf("%v: %d are counted, want %d", listener.address, n, len(wrong))
		}

		from(t, "127.0.0.2", listener.address.String()).Close()
		until(t, func() bool { n, _ := l.handshakes.Use(); return n == 0 })
		if n := refused(invalidHeader) - before; n != uint64(len(wrong)) {
			t.Errorf("%v: a health check is counted", listener.address)
		}

		before = refused(untrustedHeader)
		version2 := proxyHeader(t, proxyproto.HeaderProxyFromAddrs(2,
			&net.TCPAddr{IP: net.IPv4(203, 0, 113, 7), Port: 40000},
			&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443}))
		for _, header := range []string{
			"PROXY TCP4 203.0.113.7 192.0.2.1 40000 443\r\n", string(version2),
		} {
			if got, ok := ask("127.0.0.1", header); ok {
				t.Errorf("%v: a stranger named %v", listener.address, got)
			}
		}
		if n := refused(untrustedHeader) - before; n != 2 {
			t.Errorf("%v: %d headers of strangers are counted, want 2", listener.address, n)
		}
		if last := l.proxyRefusals.of(untrustedHeader).Last; last != netip.MustParseAddr("127.0.0.1") {
			t.Errorf("%v: the stranger is %v", listener.address, last)
		}
	}
}

// FuzzProxyHeader: whatever a proxy sends first, either it is a complete header and the rest
// reaches the client's side, or the connection is counted as refused.
func FuzzProxyHeader(f *testing.F) {
	for _, seed := range []string{
		"", "PROXY TCP4 203.0.113.7 192.0.2.1 40000 443\r\nrest", "PROXY UNKNOWN\r\n\x16\x03\x01",
		"PROXY", "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00rest",
		"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x07\xc0\x00\x02\x01\x9c\x40\x01\xbbrest",
		"\x16\x03\x01",
	} {
		f.Add([]byte(seed))
	}
	proxy := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2), Port: 1}
	own := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443}
	l := &streamListener{proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}}
	f.Fuzz(func(t *testing.T, sent []byte) {
		r := &Relay{handshakes: shares.New(8, 8)}
		sender, receiver := net.Pipe()
		go func() { _, _ = sender.Write(sent); sender.Close() }()
		defer receiver.Close()
		conn, ok := l.unproxied(r, proxiedConn{receiver, proxy, own})
		if counted := r.proxyRefusals.of(invalidHeader).Times; (counted == 1) != (!ok && len(sent) > 0) {
			t.Errorf("served %v, counted %d", ok, counted)
		}
		if n, _ := r.handshakes.Use(); n != 0 {
			t.Errorf("%d are in progress", n)
		}
		if !ok {
			return
		}
		if !streamAddr(conn.RemoteAddr()).IsValid() || !streamAddr(conn.LocalAddr()).IsValid() {
			t.Errorf("between %v and %v", conn.RemoteAddr(), conn.LocalAddr())
		}
		rest, err := io.ReadAll(conn)
		header, whole := bytes.CutSuffix(sent, rest)
		one := bytes.HasPrefix(header, proxyproto.SIGV1) && bytes.HasSuffix(header, []byte("\r\n")) &&
			len(header) <= 107
		two := bytes.HasPrefix(header, proxyproto.SIGV2) && len(header) >= 16
		if err != nil || !whole || !one && !two {
			t.Errorf("of %q the client gets %q, %v", sent, rest, err)
		}
	})
}
