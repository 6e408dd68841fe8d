package relay

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v3"
)

// TestReconfigure: a peer is allowed and denied, and connections are limited, while an existing
// channel and connection go on.
func TestReconfigure(t *testing.T) {
	l := newLabWith(t, loopback, inquisitive(openRelay("127.0.0.2/32")))
	before, wrong := l.options, l.options
	reconfigure := func(o Options) {
		t.Helper()
		if err := l.Reconfigure(o.Listen, o.Relay); err != nil {
			t.Fatal(err)
		}
	}
	wrong.Relay.Allow, wrong.Relay.MaxPerSeat = nil, 0
	if err := l.Reconfigure(wrong.Listen, wrong.Relay); err == nil {
		t.Error("a limit of zero was taken")
	}
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	peer := peerAddr(conn.LocalAddr().(*net.UDPAddr).AddrPort())
	other := peerAddr(netip.MustParseAddrPort("127.0.0.3:4000"))
	w := l.wire(allTransports[1], "a", "doctor").allocate()
	if code := w.code(stun.MethodChannelBind, number(0x4000), peer); code != 0 {
		t.Fatalf("ChannelBind: %d", code)
	}
	after := before
	after.Relay.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.3/32")}
	after.Listen.MaxConnections = 2
	reconfigure(after)
	w.send(channelData(0x4000, "media"))
	b := make([]byte, 2000)
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if n, err := conn.Read(b); err != nil || string(b[:n]) != "media" {
		t.Errorf("through a channel from before: %q, %v", b[:n], err)
	}
	for _, step := range []struct {
		peer peerAddr
		want int
	}{{peer, 403}, {other, 0}} {
		if code := w.code(stun.MethodCreatePermission, step.peer); code != step.want {
			t.Errorf("CreatePermission: %d, want %d", code, step.want)
		}
	}
	// One of two is open, and a prefix gets no more than are free for others.
	refused, err := net.Dial("tcp", l.Addresses().TCP[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer refused.Close()
	_ = refused.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := refused.Read(b); err != io.EOF {
		t.Errorf("a connection beyond the new limit: %v", err)
	}
	reconfigure(before)
	l.wire(allTransports[1], "a", "patient").allocate()
	w.send(channelData(0x4000, "again"))
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if n, err := conn.Read(b); err != nil || string(b[:n]) != "again" {
		t.Errorf("the connection from before: %q, %v", b[:n], err)
	}
}
