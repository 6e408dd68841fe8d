package core

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v3"

	"praxisrelay/relay/credential"
)

// TestPermissionsAreInstalledAllOrNone (RFC 8656, section 10.2).
func TestPermissionsAreInstalledAllOrNone(t *testing.T) {
	l, _ := openLab(t)
	a := l.allocated("198.51.100.1:1000", "x", "doctor")
	good, other := netip.MustParseAddrPort("203.0.113.5:5000"), netip.MustParseAddrPort("203.0.113.6:5000")
	for code, bad := range map[int]stun.Setter{
		403: xorPeer(netip.MustParseAddrPort("10.0.0.1:5000")),
		443: xorPeer(netip.MustParseAddrPort("[2001:db8::1]:5000")),
		400: raw{stun.AttrXORPeerAddress, []byte{0, 3, 0, 0, 0, 0, 0, 0}},
	} {
		if got := a.refused(stun.MethodCreatePermission, xorPeer(good), bad, xorPeer(other)); got != code {
			t.Errorf("a peer between two that are permitted: %d, want %d", got, code)
		}
	}
	for _, peer := range []netip.AddrPort{good, other} {
		l.dropped(a.send(peer, "out"))
		l.dropped(l.Receive(l.now, a.relayed, peer, []byte("in"), l.buf))
	}
	if held := l.allocations[a.tuple].permissions; len(held) != 0 || l.routes.Len() != 0 {
		t.Errorf("refused requests left %v and %d routes", held, l.routes.Len())
	}
	a.ok(stun.MethodCreatePermission, xorPeer(good), xorPeer(other))
	for _, peer := range []netip.AddrPort{good, other} {
		if to, out := a.send(peer, "out"); to.Client != peer || string(out) != "out" {
			t.Errorf("%q went to %v, want %v", out, to.Client, peer)
		}
	}
}

// TestAPermissionIsForAnAddress (RFC 8656, sections 9 and 10.1): Firefox, which sends only
// indications, asks once for each address, with the port of whichever candidate came first, and
// refreshes with that port even when nobody holds it any more.
func TestAPermissionIsForAnAddress(t *testing.T) {
	for name, lab := range map[string]func() *lab{
		"paired": func() *lab { return newLab(t) },
		"open":   func() *lab { l, _ := openLab(t); return l },
	} {
		t.Run(name, func(t *testing.T) {
			l := lab()
			a := l.allocated("198.51.100.1:1000", "x", "doctor")
			b := l.allocated("198.51.100.2:1000", "x", "patient")
			gone := l.allocated("198.51.100.2:1001", "x", "patient")
			gone.ok(stun.MethodRefresh, lifetime(0))
			for _, other := range []uint16{0, 22, 5000, gone.relayed.Port()} {
				named := netip.AddrPortFrom(relayed, other)
				for range 3 {
					for _, p := range []*peer{a, b} {
						p.nonce = ""
						p.ok(stun.MethodRefresh)
						p.permit(named)
					}
					l.now = l.now.Add(permissionLifetime - time.Second)
					to, out := a.send(b.relayed, "there")
					b.indicated(a.relayed, "there", to, out)
					to, out = b.send(a.relayed, "back")
					a.indicated(b.relayed, "back", to, out)
					l.dropped(a.send(named, "nobody"))
				}
				l.now = l.now.Add(time.Second)
				l.dropped(a.send(b.relayed, "the permissions are over"))
			}
		})
	}
}

// TestLimitsOfPermissionsAndChannels: 32 addresses, however they are requested and with any number
// of ports; and 32 channels.
func TestLimitsOfPermissionsAndChannels(t *testing.T) {
	l, _ := openLab(t)
	a := l.allocated("198.51.100.1:1000", "x", "doctor")
	peer := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), 5000)
	}
	for i := range maxPermissions - 1 {
		a.permit(peer(i))
	}
	last := peer(maxPermissions - 1) // an address named twice counts once
	a.ok(stun.MethodCreatePermission, xorPeer(last), xorPeer(netip.AddrPortFrom(last.Addr(), 6000)))
	full := func(name string) {
		t.Helper()
		if code := a.refused(stun.MethodCreatePermission, xorPeer(peer(100))); code != 508 {
			t.Errorf("%s: CreatePermission for one more: %d, want 508", name, code)
		}
		if code := a.refused(stun.MethodCreatePermission, xorPeer(peer(0)), xorPeer(peer(100))); code != 508 {
			t.Errorf("%s: CreatePermission for a known one and one more: %d, want 508", name, code)
		}
		if code := a.refused(stun.MethodChannelBind, channelNumber(0x5000), xorPeer(peer(100))); code != 508 {
			t.Errorf("%s: ChannelBind to one more: %d, want 508", name, code)
		}
		l.dropped(a.send(peer(100), "out"))
		l.dropped(l.Receive(l.now, a.relayed, peer(100), []byte("in"), l.buf))
		if held := l.allocations[a.tuple]; len(held.permissions) != maxPermissions || len(held.channels) > 1 {
			t.Errorf("%s: %d permissions, %d channels", name, len(held.permissions), len(held.channels))
		}
	}
	full("all by CreatePermission")
	a.permit(netip.AddrPortFrom(peer(0).Addr(), 6000))
	a.bind(0x4000, peer(1))
	full("after refreshes")
	l.now = l.now.Add(permissionLifetime)
	a.permit(peer(100)) // the others have expired

	b := l.allocated("198.51.100.2:1000", "x", "patient")
	for i := range maxChannels {
		b.bind(uint16(firstChannel+i), peer(i))
	}
	for name, other := range map[string]netip.AddrPort{"a new peer": peer(100),
		"another port of one": netip.AddrPortFrom(peer(0).Addr(), 6000)} {
		if code := b.refused(stun.MethodChannelBind, channelNumber(0x5000), xorPeer(other)); code != 508 {
			t.Errorf("one channel more, to %s: %d, want 508", name, code)
		}
	}
	b.bind(firstChannel, peer(0)) // a refresh adds none
	b.ok(stun.MethodRefresh, lifetime(3600))
	l.now = l.now.Add(channelLifetime - time.Second)
	if code := b.refused(stun.MethodChannelBind, channelNumber(0x5000), xorPeer(peer(100))); code != 508 {
		t.Errorf("one channel more, a second too early: %d, want 508", code)
	}
	l.now = l.now.Add(time.Second)
	b.bind(0x5000, peer(100))
}

// TestAnotherSpellingIsAnotherPeer: an IPv6 address that embeds an IPv4 address has the IPv6
// family, and is not a relayed address.
func TestAnotherSpellingIsAnotherPeer(t *testing.T) {
	keys, err := credential.NewKeyring([]byte("the secret of all tests"))
	if err != nil {
		t.Fatal(err)
	}
	six := netip.MustParseAddr("2001:db8::1")
	paired := newLabWith(t, Config{RelayedIPv4: relayed, RelayedIPv6: six}, keys)
	open, bound := openLab(t)
	open.config.RelayedIPv6 = six
	for name, l := range map[string]*lab{"paired": paired, "open": open} {
		v6 := raw{stun.AttrRequestedAddressFamily, []byte{familyIPv6, 0, 0, 0}}
		partner := l.allocated("198.51.100.2:1000", "x", "patient")
		four := l.allocated("198.51.100.1:1000", "x", "doctor")
		sixes := l.peer("198.51.100.1:1001", "x", "doctor")
		sixes.allocate(v6)
		targets := []netip.AddrPort{partner.relayed}
		if l == open {
			targets = append(targets, netip.MustParseAddrPort("203.0.113.5:5000"))
		}
		for _, target := range targets {
			four.permit(target) // as plain IPv4 it may be reached
			partner.permit(four.relayed)
			v4 := target.Addr().As4()
			for _, prefix := range [][16]byte{
				{10: 0xFF, 11: 0xFF},             // v4-mapped
				{},                               // v4-compatible
				{8: 0xFF, 9: 0xFF},               // SIIT
				{0, 0x64, 0xFF, 0x9B},            // NAT64
				{0xFE, 0x80, 10: 0x5E, 11: 0xFE}, // ISATAP
			} {
				copy(prefix[12:], v4[:])
				spelling := netip.AddrPortFrom(netip.AddrFrom16(prefix), target.Port())
				for p, want := range map[*peer]int{four: 443, sixes: 403} {
					if code := p.refused(stun.MethodCreatePermission, xorPeer(spelling)); code != want {
						t.Errorf("%s, CreatePermission for %v: %d, want %d", name, spelling, code, want)
					}
					if code := p.refused(stun.MethodChannelBind, channelNumber(0x4000), xorPeer(spelling)); code != want {
						t.Errorf("%s, ChannelBind to %v: %d, want %d", name, spelling, code, want)
					}
					l.dropped(p.send(spelling, "out"))
				}
			}
		}
	}
	open.Close(open.now)
	if len(bound) != 0 {
		t.Errorf("left behind: %v", bound)
	}
}
