package core

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v3"

	"praxisrelay/relay/credential"
)

// openLab is an open relay whose sockets are a map, on a host with the address relayed. Its peers
// are in 203.0.113.0/24.
func openLab(t testing.TB) (*lab, map[netip.AddrPort]bool) {
	t.Helper()
	keys, err := credential.NewKeyring([]byte("the secret of all tests"))
	if err != nil {
		t.Fatal(err)
	}
	bound := map[netip.AddrPort]bool{}
	return newLabWith(t, Config{RelayedIPv4: relayed, Open: &Open{
		FirstPort: 50000, LastPort: 50099,
		Bind: func(addr netip.AddrPort) error {
			if addr.Port() == 50050 || bound[addr] {
				return ErrTaken
			}
			bound[addr] = true
			return nil
		},
		Release: func(addr netip.AddrPort) {
			if !bound[addr] {
				t.Errorf("%v is released and was not bound", addr)
			}
			delete(bound, addr)
		},
		Permits:     netip.MustParsePrefix("203.0.113.0/24").Contains,
		MinPeerPort: 1024,
	}}, keys), bound
}

// TestOpenRelayReachesPeersOutside, both ways, with permissions and with channels.
func TestOpenRelayReachesPeersOutside(t *testing.T) {
	l, bound := openLab(t)
	a := l.allocated("198.51.100.1:1000", "x", "doctor")
	peer, sibling := netip.MustParseAddrPort("203.0.113.5:5000"), netip.MustParseAddrPort("203.0.113.5:6000")
	if !bound[a.relayed] {
		t.Fatalf("%v has no socket", a.relayed)
	}
	toPeer := func(to FiveTuple, out []byte, want string) {
		t.Helper()
		if to != (FiveTuple{Client: peer, Server: a.relayed, Transport: Relayed}) || string(out) != want {
			t.Fatalf("%q went to %v, want %q at the peer", out, to, want)
		}
	}
	l.dropped(a.send(peer, "no permission"))
	l.dropped(l.Receive(l.now, a.relayed, peer, []byte("no permission"), l.buf))
	a.permit(peer)
	to, out := a.send(peer, "out")
	toPeer(to, out, "out")
	to, out = l.Receive(l.now, a.relayed, peer, []byte("in"), l.buf)
	a.indicated(peer, "in", to, out)
	to, out = l.Receive(l.now, a.relayed, sibling, []byte("another port"), l.buf)
	a.indicated(sibling, "another port", to, out)

	a.bind(0x4000, peer)
	to, out = a.channelData(0x4000, "out")
	toPeer(to, out, "out")
	to, out = l.Receive(l.now, a.relayed, peer, []byte("in"), l.buf)
	a.delivered(0x4000, "in", to, out)
	to, out = l.Receive(l.now, a.relayed, sibling, []byte("by the address"), l.buf)
	a.indicated(sibling, "by the address", to, out)
	l.dropped(l.Receive(l.now, a.relayed, peer, make([]byte, MaxMessage), l.buf))
	if n := testing.AllocsPerRun(100, func() { l.Receive(l.now, a.relayed, peer, make([]byte, 0, 100)[:100], l.buf) }); n != 0 {
		t.Errorf("receiving costs %v allocations", n)
	}

	// The permission ends before the channel; a refresh brings it back.
	l.now = start.Add(permissionLifetime)
	l.dropped(l.Receive(l.now, a.relayed, peer, []byte("late"), l.buf))
	a.permit(peer)
	to, out = l.Receive(l.now, a.relayed, peer, []byte("again"), l.buf)
	a.delivered(0x4000, "again", to, out)
	l.now = start.Add(channelLifetime - time.Second)
	a.ok(stun.MethodRefresh)
	a.permit(peer)
	l.now = start.Add(channelLifetime)
	l.dropped(a.channelData(0x4000, "the channel is over"))
	to, out = l.Receive(l.now, a.relayed, peer, []byte("as an indication"), l.buf)
	a.indicated(peer, "as an indication", to, out)

	gone := a.relayed
	a.ok(stun.MethodRefresh, lifetime(0))
	l.dropped(l.Receive(l.now, gone, peer, []byte("nobody"), l.buf))
	if len(bound) != 0 || l.routes.Len() != 0 || len(l.open.towards) != 0 {
		t.Errorf("left behind: %v, %d routes", bound, l.routes.Len())
	}
}

// TestOpenRelayJudgesEveryWay to name a peer: CreatePermission by the address, which is all that a
// permission covers, and everything that carries data also by the port.
func TestOpenRelayJudgesEveryWay(t *testing.T) {
	l, _ := openLab(t)
	a := l.allocated("198.51.100.1:1000", "x", "doctor")
	a.bind(0x4000, netip.MustParseAddrPort("203.0.113.5:5000"))
	for peer, want := range map[string]int{
		"10.0.0.1:5000": 403, "203.0.112.5:5000": 403,
		"203.0.113.5:22": 0, "203.0.113.5:0": 0, // ports of a permitted address
		"192.0.2.1:5000": 0, "192.0.2.1:0": 0, // the relay's own address; nobody holds these ports
	} {
		addr := netip.MustParseAddrPort(peer)
		if code := a.refused(stun.MethodCreatePermission, xorPeer(addr)); code != want {
			t.Errorf("CreatePermission for %v: %d, want %d", peer, code, want)
		}
		if code := a.refused(stun.MethodChannelBind, channelNumber(0x4001), xorPeer(addr)); code != 403 {
			t.Errorf("ChannelBind to %v: %d, want 403", peer, code)
		}
		l.dropped(a.send(addr, "out"))
		l.dropped(l.Receive(l.now, a.relayed, addr, []byte("in"), l.buf))
	}
}

// TestOpenRelayKeepsRelayedToRelayedInside, within one appointment and across two, and needs the
// permission of both sides.
func TestOpenRelayKeepsRelayedToRelayedInside(t *testing.T) {
	for _, appointment := range []string{"x", "y"} {
		l, _ := openLab(t)
		a := l.allocated("198.51.100.1:1000", "x", "doctor")
		b := l.allocated("198.51.100.2:1000", appointment, "patient")
		a.bind(0x4000, b.relayed)
		l.dropped(a.channelData(0x4000, "b does not permit"))
		b.permit(a.relayed)
		to, out := a.channelData(0x4000, "inside")
		b.indicated(a.relayed, "inside", to, out)
		b.bind(0x4001, a.relayed)
		to, out = b.channelData(0x4001, "back")
		a.delivered(0x4000, "back", to, out)
		// Once b is gone, its address belongs to nobody but the appliance.
		b.ok(stun.MethodRefresh, lifetime(0))
		l.dropped(a.channelData(0x4000, "to the appliance itself"))
		l.dropped(a.send(b.relayed, "likewise"))
	}
}

func TestOpenRelayUsesEveryPortThatCanBeBound(t *testing.T) {
	l, bound := openLab(t)
	for i := range 99 { // one of the hundred is another program's
		l.allocated(fmt.Sprintf("198.51.100.1:%d", 1000+i), fmt.Sprint(i), "doctor")
	}
	p := l.peer("198.51.100.1:999", "z", "doctor")
	if code := p.refused(stun.MethodAllocate, requestedTransport(protocolUDP)); code != 508 {
		t.Errorf("without a free port: %d, want 508", code)
	}
	l.Revoke(l.now, id("7"), "", 0)
	p.allocate()
	if len(bound) != 99 {
		t.Errorf("%d sockets", len(bound))
	}
}

// Relayed addresses have the requested family, and reach only peers of that family.
func TestRelayedAddressFamilies(t *testing.T) {
	keys, err := credential.NewKeyring([]byte("the secret of all tests"))
	if err != nil {
		t.Fatal(err)
	}
	six := netip.MustParseAddr("2001:db8::1")
	l := newLabWith(t, Config{RelayedIPv4: relayed, RelayedIPv6: six}, keys)
	family := func(f byte) stun.Setter { return raw{stun.AttrRequestedAddressFamily, []byte{f, 0, 0, 0}} }
	a := l.peer("[2001:db8::9]:1", "x", "doctor")
	b := l.peer("198.51.100.1:1", "x", "patient")
	c := l.peer("198.51.100.1:2", "x", "patient")
	a.allocate(family(familyIPv6))
	b.allocate(family(familyIPv6))
	c.allocate(family(familyIPv4))
	if a.relayed.Addr() != six || b.relayed.Addr() != six || c.relayed.Addr() != relayed {
		t.Fatalf("relayed addresses %v, %v, %v", a.relayed, b.relayed, c.relayed)
	}
	a.bind(0x4000, b.relayed)
	b.permit(a.relayed)
	to, out := a.channelData(0x4000, "over IPv6")
	b.indicated(a.relayed, "over IPv6", to, out)
	if code := a.refused(stun.MethodCreatePermission, xorPeer(c.relayed)); code != 443 {
		t.Errorf("a peer of the other family: %d, want 443", code)
	}

	// Only one family is allocated; the answer names the missing one.
	d := l.peer("198.51.100.1:3", "x", "patient")
	answer := d.ok(stun.MethodAllocate, requestedTransport(protocolUDP),
		raw{attrAdditionalAddressFamily, []byte{familyIPv6, 0, 0, 0}})
	if got := text(t, answer, attrAddressErrorCode); got != "\x02\x00\x04\x28" {
		t.Errorf("ADDRESS-ERROR-CODE is %x", got)
	}
	for name, setters := range map[string][]stun.Setter{
		"for IPv4":        {raw{attrAdditionalAddressFamily, []byte{familyIPv4, 0, 0, 0}}},
		"with a family":   {raw{attrAdditionalAddressFamily, []byte{familyIPv6, 0, 0, 0}}, family(familyIPv6)},
		"with the R bit":  {raw{attrAdditionalAddressFamily, []byte{familyIPv6, 0, 0, 0}}, raw{stun.AttrEvenPort, []byte{0x80}}},
		"of a wrong size": {raw{attrAdditionalAddressFamily, []byte{familyIPv6}}},
	} {
		p := l.peer("198.51.100.1:4", "x", "patient")
		if code := p.refused(stun.MethodAllocate, append(setters, requestedTransport(protocolUDP))...); code != 400 {
			t.Errorf("an additional family %s: %d, want 400", name, code)
		}
	}
}
