package relay

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pion/stun/v3"

	"praxisrelay/config"
	"praxisrelay/relay/core"
	"praxisrelay/relay/credential"
	"praxisrelay/relay/policy"
	"praxisrelay/relay/policy/policytest"
	"praxisrelay/relay/probe"
)

func openRelay(allow ...string) func(*config.Listen, *config.Relay) {
	return func(_ *config.Listen, r *config.Relay) {
		r.Peers, r.Ports = config.Open, config.Ports{First: 61000, Last: 61063}
		for _, prefix := range allow {
			r.Allow = append(r.Allow, netip.MustParsePrefix(prefix))
		}
	}
}

// inquisitive lets tests send more requests than strangers may.
func inquisitive(change func(*config.Listen, *config.Relay)) func(*config.Listen, *config.Relay) {
	return func(listen *config.Listen, r *config.Relay) {
		change(listen, r)
		r.UnauthenticatedRate = 1000
	}
}

// TestOpenRelayReachesAPeerOutside, from every transport, over IPv4 and IPv6.
func TestOpenRelayReachesAPeerOutside(t *testing.T) {
	l := newLabWith(t, loopback, openRelay("127.0.0.2/32", "::1/128"))
	for _, transport := range allTransports {
		for family, host := range map[byte]string{1: "127.0.0.2", 2: "::1"} {
			conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(host), 0)))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			peer := conn.LocalAddr().(*net.UDPAddr).AddrPort()
			requested := attr{stun.AttrRequestedAddressFamily, []byte{family, 0, 0, 0}}
			w := l.wire(transport, "a", "doctor").allocate(requested)
			if w.relayed.Port() < 61000 || w.relayed.Port() > 61063 {
				t.Errorf("the relayed address is %v", w.relayed)
			}
			if code := w.code(stun.MethodCreatePermission, peerAddr(peer)); code != 0 {
				t.Fatalf("CreatePermission: %d", code)
			}
			echo := func(want string) {
				t.Helper()
				b := make([]byte, 2000)
				_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
				n, from, err := conn.ReadFromUDPAddrPort(b)
				if err != nil || string(b[:n]) != want || from != w.relayed {
					t.Fatalf("%q from %v (%v), want %q from %v", b[:n], from, err, want, w.relayed)
				}
				if _, err := conn.WriteToUDPAddrPort(b[:n], from); err != nil {
					t.Fatal(err)
				}
			}
			w.send(sendTo(peer).Raw)
			echo("out")
			indication := new(stun.Message)
			if err := stun.Decode(w.receive(), indication); err != nil ||
				indication.Type != stun.NewType(stun.MethodData, stun.ClassIndication) {
				t.Fatalf("%v, %v", indication, err)
			}
			if code := w.code(stun.MethodChannelBind, number(0x4000), peerAddr(peer)); code != 0 {
				t.Fatalf("ChannelBind: %d", code)
			}
			w.send(channelData(0x4000, "media"))
			echo("media")
			want := channelData(0x4000, "media")
			if got := w.receive(); !bytes.Equal(got[:9], want[:9]) {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	}
	if free, all := l.Ports(); all != 64 || free != 64-3 { // three for each family
		t.Errorf("%d of %d ports are free", free, all)
	}
	l.Revoke(id("a"), "", 0)
	if free, _ := l.Ports(); free != 64 {
		t.Errorf("%d ports are free after all ended", free)
	}
	// The sockets are closed: their ports can be bound again.
	for port := 61000; port <= 61063; port++ {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
}

// TestOpenRelayDoesNotReachForbiddenPeers: CreatePermission and ChannelBind for internal addresses,
// this host's, or other spellings of these get 403. Send checks too, even with a permission that an
// earlier policy granted.
func TestOpenRelayDoesNotReachForbiddenPeers(t *testing.T) {
	// Allowing a network does not allow the host's own addresses in it.
	l := newLabWith(t, loopback, inquisitive(openRelay("127.0.0.0/8")))
	own, err := probe.HostAddresses()
	if err != nil || len(own) == 0 {
		t.Fatal("the host has no address", err)
	}
	addrs := append(own, netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.255.255.254"))
	for _, text := range policytest.Forbidden {
		addrs = append(addrs, netip.MustParseAddr(text))
	}
	for _, addr := range own {
		addrs = append(addrs, netip.AddrFrom16(addr.As16()))
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	addrs = slices.Compact(addrs)
	if len(addrs) < 60 {
		t.Fatalf("only %d addresses", len(addrs))
	}
	strict := policy.Policy{Allow: l.peers.policy.Allow, Own: append(own, policytest.Own...)}
	lenient := policy.Policy{
		Allow: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")},
	}
	for _, addr := range addrs { // the host's own, recognized only by exact match
		lenient.Allow = append(lenient.Allow, netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()))
	}
	judgeBy := func(p policy.Policy) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.peers.policy = p
	}
	for _, transport := range allTransports {
		var four, six []netip.Addr
		for _, addr := range addrs {
			if addr.Is4() {
				four = append(four, addr)
			} else {
				six = append(six, addr)
			}
		}
		for family, list := range map[byte][]netip.Addr{1: four, 2: six} {
			for chunk := range slices.Chunk(list, 32) { // as many permissions as an allocation holds
				appointment := fmt.Sprintf("%v-%v", transport, chunk[0].StringExpanded())
				appointment = strings.NewReplacer(":", "-", ".", "-").Replace(appointment)
				judgeBy(lenient)
				requested := attr{stun.AttrRequestedAddressFamily, []byte{family, 0, 0, 0}}
				w := l.wire(transport, appointment, "doctor").allocate(requested)
				for _, addr := range chunk {
					if addr.Unmap().IsUnspecified() {
						continue // no policy permits it
					}
					if code := w.code(stun.MethodCreatePermission, peerAddr(netip.AddrPortFrom(addr, 5000))); code != 0 {
						t.Errorf("%v: %v under the lenient policy: %d", transport, addr, code)
					}
				}
				judgeBy(strict)
				for _, addr := range chunk {
					peer := netip.AddrPortFrom(addr, 5000)
					want := 403
					if addr == w.relayed.Addr() {
						want = 0 // a permission covers an address, here the relay's own
					}
					if code := w.code(stun.MethodCreatePermission, peerAddr(peer)); code != want {
						t.Errorf("%v: CreatePermission for %v: %d, want %d", transport, peer, code, want)
					}
					if code := w.code(stun.MethodChannelBind, number(0x4000), peerAddr(peer)); code != 403 {
						t.Errorf("%v: ChannelBind to %v: %d, want 403", transport, peer, code)
					}
					w.silent(sendTo(peer).Raw) // state would show any media
				}
				l.Revoke(id(appointment), "", 0)
			}
		}
	}
}

// TestSendJudgesThePort: a permission covers every port of an address, the policy does not. A
// refused packet leaves no trace, unlike a forwarded one.
func TestSendJudgesThePort(t *testing.T) {
	l := newLabWith(t, loopback, inquisitive(openRelay("127.0.0.2/32")))
	for _, transport := range allTransports {
		w := l.wire(transport, "a", "doctor").allocate()
		peer := netip.MustParseAddrPort("127.0.0.2:5000")
		if code := w.code(stun.MethodCreatePermission, peerAddr(peer)); code != 0 {
			t.Fatal(code)
		}
		for _, port := range []uint16{0, 22, 53, 443, 1023} {
			w.silent(sendTo(netip.AddrPortFrom(peer.Addr(), port)).Raw)
		}
		before := l.state()
		w.send(sendTo(peer).Raw)
		w.quiet()
		if after := l.state(); after.equal(before) {
			t.Errorf("%v: a forwarded packet leaves no trace", transport)
		}
	}
}

// TestRelayedAddresses: the addresses that clients are given, on hosts of every kind.
func TestRelayedAddresses(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*config.Relay)
		want   [2]string // for IPv4 and IPv6; empty: 440
	}{
		"both":       {func(*config.Relay) {}, [2]string{"127.0.0.1", "::1"}},
		"only IPv4":  {func(r *config.Relay) { r.Addresses = r.Addresses[:1] }, [2]string{"127.0.0.1", ""}},
		"only IPv6":  {func(r *config.Relay) { r.Addresses = r.Addresses[1:] }, [2]string{"192.0.0.8", "::1"}},
		"open, IPv6": {func(r *config.Relay) { r.Addresses, r.Peers = r.Addresses[1:], config.Open }, [2]string{"", "::1"}},
		"behind a NAT": {func(r *config.Relay) { r.PublicAddress = netip.MustParseAddr("203.0.113.9") },
			[2]string{"203.0.113.9", "::1"}},
		"a NAT and open": {func(r *config.Relay) { r.PublicAddress, r.Peers = netip.MustParseAddr("203.0.113.9"), config.Open },
			[2]string{"203.0.113.9", "::1"}},
		"NAT, over IPv6?": {func(r *config.Relay) { r.PublicAddress = netip.MustParseAddr("2001:db8::9") },
			[2]string{"127.0.0.1", "2001:db8::9"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLabWith(t, loopback, func(_ *config.Listen, r *config.Relay) { test.change(r) })
			for _, transport := range allTransports {
				for i, want := range test.want {
					family := attr{stun.AttrRequestedAddressFamily, []byte{byte(i + 1), 0, 0, 0}}
					w := l.wire(transport, "a", "doctor")
					if want == "" {
						if code := w.code(stun.MethodAllocate, udpTransport, family); code != 440 {
							t.Errorf("%v, family %d: %d, want 440", transport, i+1, code)
						}
						continue
					}
					if w.allocate(family); w.relayed.Addr().String() != want {
						t.Errorf("%v, family %d: %v, want %s", transport, i+1, w.relayed, want)
					}
				}
			}
		})
	}
}

// TestNobodyIsReachedByBroadcast, although Go allows every UDP socket to broadcast.
func TestNobodyIsReachedByBroadcast(t *testing.T) {
	conn, err := listenPeer(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	everybody := netip.MustParseAddrPort("127.255.255.255:5000")
	if _, err := conn.WriteToUDPAddrPort([]byte("all"), everybody); !errors.Is(err, syscall.EACCES) {
		t.Errorf("a packet to everybody: %v, want %v", err, syscall.EACCES)
	}
}

// TestOpenRelayThatCannotBindDoesNotStart, rather than failing with the first client.
func TestOpenRelayThatCannotBindDoesNotStart(t *testing.T) {
	keys, err := credential.NewKeyring([]byte("the secret of all tests"))
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*config.Relay){
		"relay.addresses: ": func(r *config.Relay) { r.Addresses = []netip.Addr{netip.MustParseAddr("192.0.2.1")} },
		"relay.public_address: this host has no address of the family": func(r *config.Relay) {
			r.Addresses, r.PublicAddress = []netip.Addr{netip.MustParseAddr("::1")}, netip.MustParseAddr("203.0.113.9")
		},
	} {
		listen, settings := config.Default().Listen, config.Default().Relay
		listen.HTTPS, listen.TURNUDP, listen.TURNTCP, listen.TURNTLS = loopback.HTTPS, loopback.TURNUDP, nil, nil
		settings.Peers = config.Open
		change(&settings)
		r, err := Listen(Options{
			Listen: listen, Relay: settings, Keys: keys, TLS: &tls.Config{}, Now: time.Now,
		})
		if err == nil {
			r.Close()
		}
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s...", err, want)
		}
	}
}

// TestPeersAreSentEmptyDatagrams, through channels and indications.
func TestPeersAreSentEmptyDatagrams(t *testing.T) {
	l := newLabWith(t, loopback, openRelay("127.0.0.2/32"))
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	peer := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	w := l.wire(core.UDP, "a", "doctor").allocate()
	if code := w.code(stun.MethodChannelBind, number(0x4000), peerAddr(peer)); code != 0 {
		t.Fatal(code)
	}
	empty := stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodSend, stun.ClassIndication),
		peerAddr(peer), attr{stun.AttrData, nil})
	for name, b := range map[string][]byte{"ChannelData": {0x40, 0, 0, 0}, "Send": empty.Raw} {
		w.send(b)
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if n, from, err := conn.ReadFromUDPAddrPort(make([]byte, 10)); err != nil || n != 0 ||
			from != w.relayed {
			t.Errorf("%s: %d bytes from %v, %v", name, n, from, err)
		}
	}
}
