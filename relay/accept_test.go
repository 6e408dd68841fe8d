package relay

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/pion/stun/v3"
	"github.com/pires/go-proxyproto"

	"praxisrelay/config"
	"praxisrelay/relay/core"
)

// gone waits until the relay has closed a connection.
func gone(t *testing.T, conn net.Conn) bool {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	_, err := conn.Read(make([]byte, 1))
	return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}

// answers reports whether a connection's Binding request is answered, and with which address.
func answers(t *testing.T, conn net.Conn) (mapped stun.XORMappedAddress, ok bool) {
	t.Helper()
	request := stun.MustBuild(stun.TransactionID, stun.BindingRequest)
	if _, err := conn.Write(request.Raw); err != nil {
		return mapped, false
	}
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	b := make([]byte, 32+12)
	n, err := io.ReadAtLeast(conn, b, 32)
	if err != nil {
		return mapped, false
	}
	answer := new(stun.Message)
	if err := errors.Join(stun.Decode(b[:n], answer), mapped.GetFrom(answer)); err != nil {
		t.Fatal(err)
	}
	return mapped, true
}

// until waits for what the relay does asynchronously.
func until(t *testing.T, done func() bool) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(5 * time.Second); !done(); <-ticker.C {
		if time.Now().After(deadline) {
			t.Fatal("not in time")
		}
	}
}

func from(t *testing.T, source, address string) net.Conn {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}
	conn, err := dialer.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// TestConnectionsAreBounded, per source prefix and in all, and an ended connection makes room.
func TestConnectionsAreBounded(t *testing.T) {
	l := newLabWith(t, loopback, func(listen *config.Listen, _ *config.Relay) {
		listen.MaxConnections, listen.MaxConnectionsPerPrefix = 5, 3
	})
	address := l.Addresses().TCP[0].String()
	var held []net.Conn
	for _, step := range []struct {
		source string
		served bool
	}{
		{"127.0.0.1", true}, {"127.0.0.1", true}, {"127.0.0.1", true}, {"127.0.0.1", false},
		{"127.0.0.2", true}, {"127.0.0.2", false}, {"127.0.0.3", true}, {"127.0.0.4", false},
	} {
		conn := from(t, step.source, address)
		if !step.served {
			if !gone(t, conn) {
				t.Errorf("one more from %s is served", step.source)
			}
			continue
		}
		held = append(held, conn)
		if _, ok := answers(t, conn); !ok {
			t.Errorf("connection %d, from %s, is not served", len(held), step.source)
		}
	}
	held[0].Close()
	until(t, func() bool {
		_, ok := answers(t, from(t, "127.0.0.4", address))
		return ok
	})
}

// TestHalfOpenHandshakesAreBounded: clients that stay silent keep out nobody beyond their own
// network.
func TestHalfOpenHandshakesAreBounded(t *testing.T) {
	for _, shared := range []bool{false, true} {
		l := newLabWith(t, loopback, func(listen *config.Listen, _ *config.Relay) { listen.MaxHandshakes = 8 })
		address := l.Addresses().TLS[0]
		if shared {
			address = l.Addresses().HTTPS
		}
		secure := func(source string) bool {
			conn := tls.Client(from(t, source, address.String()), &tls.Config{InsecureSkipVerify: true})
			if conn.Handshake() != nil {
				return false
			}
			_, ok := answers(t, conn)
			return ok
		}
		silent := []net.Conn{from(t, "127.0.0.1", address.String()), from(t, "127.0.0.1", address.String())}
		halfOpen := func(want int) bool {
			open, _ := l.handshakes.Use()
			return open == want
		}
		until(t, func() bool { return halfOpen(2) })
		if secure("127.0.0.1") {
			t.Error("a third handshake from one address is served despite two half-open ones")
		}
		if !secure("127.0.0.2") {
			t.Error("another network's handshake is refused")
		}
		for _, conn := range silent {
			conn.Close()
		}
		until(t, func() bool { return halfOpen(0) })
		if !secure("127.0.0.1") {
			t.Error("an ended handshake makes no room")
		}
	}
}

// TestProxyProtocol: behind a trusted proxy the client is the one in the header, over TCP, TLS and
// the shared port; others cannot claim an address.
func TestProxyProtocol(t *testing.T) {
	l := newLabWith(t, loopback, func(listen *config.Listen, _ *config.Relay) {
		listen.ProxyProtocolFrom = []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}
	})
	client := &net.TCPAddr{IP: net.IPv4(203, 0, 113, 7).To4(), Port: 40000}
	header := func(version byte, command proxyproto.ProtocolVersionAndCommand) []byte {
		return proxyHeader(t, &proxyproto.Header{
			Version: version, Command: command, TransportProtocol: proxyproto.TCPv4,
			SourceAddr: client, DestinationAddr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443},
		})
	}
	client6 := &net.TCPAddr{IP: net.ParseIP("2001:db8::7"), Port: 40000}
	six := proxyHeader(t, &proxyproto.Header{
		Version: 2, Command: proxyproto.PROXY, TransportProtocol: proxyproto.TCPv6,
		SourceAddr: client6, DestinationAddr: &net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 443},
	})
	datagrams := proxyHeader(t, &proxyproto.Header{
		Version: 2, Command: proxyproto.PROXY, TransportProtocol: proxyproto.UDPv4,
		SourceAddr:      &net.UDPAddr{IP: client.IP, Port: 40000},
		DestinationAddr: &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443},
	})
	unix := proxyHeader(t, &proxyproto.Header{
		Version: 2, Command: proxyproto.PROXY, TransportProtocol: proxyproto.UnixStream,
		SourceAddr: &net.UnixAddr{Name: "client"}, DestinationAddr: &net.UnixAddr{Name: "server"},
	})
	addresses := l.Addresses()
	for _, listener := range []struct {
		address netip.AddrPort
		secure  bool
	}{{addresses.TCP[0], false}, {addresses.TLS[0], true}, {addresses.HTTPS, true}} {
		ask := func(source string, first []byte) (string, bool) {
			conn := from(t, source, listener.address.String())
			if _, err := conn.Write(first); err != nil {
				return "", false
			}
			if listener.secure {
				conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
			}
			mapped, ok := answers(t, conn)
			return mapped.String(), ok
		}
		for _, version := range []byte{1, 2} {
			if got, ok := ask("127.0.0.2", header(version, proxyproto.PROXY)); !ok || got != client.String() {
				t.Errorf("%v: after version %d the proxy's client is %v (%v), want %v",
					listener.address, version, got, ok, client)
			}
		}
		if got, ok := ask("127.0.0.2", header(2, proxyproto.LOCAL)); !ok || got[:10] != "127.0.0.2:" {
			t.Errorf("%v: the proxy itself is %v (%v)", listener.address, got, ok)
		}
		if got, ok := ask("127.0.0.2", six); !ok || got != client6.String() {
			t.Errorf("%v: the proxy's client is %v (%v), want %v", listener.address, got, ok, client6)
		}
		for name, first := range map[string][]byte{
			"no header": nil, "a header of UDP": datagrams, "a header of a socket file": unix,
		} {
			if got, ok := ask("127.0.0.2", first); ok {
				t.Errorf("%v: with %s the proxy's client is %v, want none", listener.address, name, got)
			}
		}
		for _, version := range []byte{1, 2} {
			if got, ok := ask("127.0.0.1", header(version, proxyproto.PROXY)); ok {
				t.Errorf("%v: a stranger named %v", listener.address, got)
			}
		}
		if got, ok := ask("127.0.0.1", nil); !ok || got[:10] != "127.0.0.1:" {
			t.Errorf("%v: a client without a proxy is %v (%v)", listener.address, got, ok)
		}
	}
}

func proxyHeader(t *testing.T, h *proxyproto.Header) []byte {
	t.Helper()
	b, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestProxysClientsAreCountedOneByOne: each client has its own limits, not the proxy's.
func TestProxysClientsAreCountedOneByOne(t *testing.T) {
	l := newLabWith(t, loopback, func(listen *config.Listen, r *config.Relay) {
		listen.ProxyProtocolFrom = []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}
		listen.MaxConnectionsPerPrefix, r.MaxPerPrefix = 1, 1
	})
	addresses := l.Addresses()
	for _, listener := range []struct {
		address netip.AddrPort
		secure  bool
	}{{addresses.TCP[0], false}, {addresses.TLS[0], true}, {addresses.HTTPS, true}} {
		through := func(client string) (net.Conn, bool) {
			conn := from(t, "127.0.0.2", listener.address.String())
			if _, err := conn.Write(proxyHeader(t, &proxyproto.Header{
				Version: 2, Command: proxyproto.PROXY, TransportProtocol: proxyproto.TCPv4,
				SourceAddr:      &net.TCPAddr{IP: net.ParseIP(client), Port: 40000},
				DestinationAddr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443},
			})); err != nil {
				return conn, false
			}
			if listener.secure {
				conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
			}
			mapped, ok := answers(t, conn)
			return conn, ok && mapped.IP.String() == client
		}
		var held []net.Conn
		for _, step := range []struct {
			client string
			served bool
		}{{"203.0.113.7", true}, {"203.0.113.8", true}, {"203.0.113.7", false}, {"203.0.113.9", true}} {
			conn, ok := through(step.client)
			if ok != step.served {
				t.Errorf("%v: a connection of %s is served: %v, want %v", listener.address,
					step.client, ok, step.served)
			}
			held = append(held, conn)
		}
		for i, conn := range held {
			if i == 2 {
				continue
			}
			w := &wire{lab: l, Conn: conn, transport: core.TCP, reader: bufio.NewReader(conn)}
			var err error
			if w.credential, err = l.keys.Mint(identity(fmt.Sprint("a", i), "doctor", time.Now().Add(time.Hour))); err != nil {
				t.Fatal(err)
			}
			w.allocate()
		}
		for _, conn := range held {
			conn.Close()
		}
		until(t, func() bool {
			open, _ := l.open.Use()
			return open == 0
		})
	}
}

// TestProxysConnectionsAreCountedBeforeTheirHeader, as unfinished handshakes.
func TestProxysConnectionsAreCountedBeforeTheirHeader(t *testing.T) {
	l := newLabWith(t, loopback, func(listen *config.Listen, _ *config.Relay) {
		listen.ProxyProtocolFrom = []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}
		listen.MaxHandshakes = 8
	})
	address := l.Addresses().TCP[0].String()
	for range 2 {
		from(t, "127.0.0.2", address)
	}
	until(t, func() bool {
		open, _ := l.handshakes.Use()
		return open == 2
	})
	if !gone(t, from(t, "127.0.0.2", address)) {
		t.Error("a third connection without a header is held")
	}
}

// TestARequesterWithoutAllocationIsCutOff: a connection without an allocation may send a few
// requests; with one, as many as the core answers.
func TestARequesterWithoutAllocationIsCutOff(t *testing.T) {
	l := newLab(t, loopback)
	conn := from(t, "127.0.0.1", l.Addresses().TCP[0].String())
	asked := 0
	for ok := true; ok && asked < 1000; asked++ {
		_, ok = answers(t, conn)
	}
	if asked < maxAsked || asked > maxAsked+16 {
		t.Errorf("%d requests were answered, want about %d", asked, maxAsked)
	}
	member := l.wire(core.TCP, "a", "doctor").allocate()
	for range 3 * maxAsked {
		member.ask(stun.MustBuild(stun.TransactionID, stun.BindingRequest))
	}
}
