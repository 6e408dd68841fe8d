package relay

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v3"

	"praxisrelay/config"
	"praxisrelay/relay/core"
)

// TestKnownServerMistakes sends, over UDP, TCP and TLS, requests that TURN servers are known to
// handle wrongly. It checks the answer or the silence, that a neighbor's call goes on, and that
// nothing is left behind.
func TestKnownServerMistakes(t *testing.T) {
	far := netip.MustParseAddrPort("10.0.0.1:445")
	tests := []struct {
		name string
		do   func(t *testing.T, w *wire)
	}{
		{"a ChannelData length that wraps in 16 bits", func(t *testing.T, w *wire) {
			w.silent([]byte{0x40, 0x00, 0xFF, 0xFC, 0, 0, 0, 0, 0})
		}},
		{"a STUN length that wraps in 16 bits", func(t *testing.T, w *wire) {
			w.silent([]byte{0x00, 0x01, 0xFF, 0xFC, 0x21, 0x12, 0xA4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0,
				0, 0, 0})
		}},
		{"lifetimes below ten minutes and above an hour", func(t *testing.T, w *wire) {
			for wish, want := range map[uint32]uint32{1: 600, 600: 600, 900: 900, 3600: 3600, 86400: 3600} {
				w := w.again()
				answer := w.ask(w.build(stun.MethodAllocate, udpTransport, lifetime(wish)))
				if got, err := answer.Get(stun.AttrLifetime); err != nil ||
					binary.BigEndian.Uint32(got) != want {
					t.Errorf("LIFETIME %d: %x, want %d", wish, got, want)
				}
			}
		}},
		{"Allocate behind Refresh(0) on one 5-tuple", func(t *testing.T, w *wire) {
			for range 20 {
				w.allocate()
				if code := w.code(stun.MethodRefresh, lifetime(0)); code != 0 {
					t.Fatalf("Refresh(0): %d", code)
				}
			}
			w.allocate()
			if code := w.code(stun.MethodRefresh); code != 0 {
				t.Errorf("Refresh of the new allocation: %d", code)
			}
		}},
		{"another user on one's 5-tuple", func(t *testing.T, w *wire) {
			w.allocate()
			own := w.credential
			other, err := w.keys.Mint(identity("other", "doctor", own.Expires))
			if err != nil {
				t.Fatal(err)
			}
			w.credential = other
			for _, method := range []stun.Method{stun.MethodRefresh, stun.MethodCreatePermission, stun.MethodChannelBind} {
				if code := w.code(method, lifetime(0), number(0x4000), peerAddr(w.relayed)); code != 441 {
					t.Errorf("%v: %d, want 441", method, code)
				}
			}
			if code := w.code(stun.MethodAllocate, udpTransport); code != 437 {
				t.Errorf("Allocate: %d, want 437", code)
			}
			w.credential = own
			if code := w.code(stun.MethodRefresh); code != 0 {
				t.Errorf("the owner's Refresh: %d", code)
			}
		}},
		{"requests without an allocation: credentials first, then 437", func(t *testing.T, w *wire) {
			for _, method := range []stun.Method{stun.MethodRefresh, stun.MethodCreatePermission, stun.MethodChannelBind} {
				bare := stun.MustBuild(stun.TransactionID, stun.NewType(method, stun.ClassRequest),
					udpTransport, lifetime(0))
				if code := codeOf(w.lab, w.ask(bare)); code != 401 {
					t.Errorf("%v without credentials: %d, want 401", method, code)
				}
				if code := w.code(method, lifetime(0), number(0x4000), peerAddr(far)); code != 437 {
					t.Errorf("%v: %d, want 437", method, code)
				}
			}
		}},
		{"wrong and malformed credentials", func(t *testing.T, w *wire) {
			w.allocate()
			right := w.credential.Password
			w.credential.Password = "wrong"
			answer := w.ask(w.build(stun.MethodRefresh))
			if nonce, err := answer.Get(stun.AttrNonce); codeOf(w.lab, answer) != 401 || err != nil ||
				len(nonce) != 16 {
				t.Errorf("a wrong password: %v, want 401 with a nonce", answer)
			}
			w.credential.Password = right
			broken := w.build(stun.MethodRefresh, lifetime(0))
			broken.Raw[len(broken.Raw)-1] ^= 1
			if code := codeOf(w.lab, w.ask(broken)); code != 401 {
				t.Errorf("a broken MESSAGE-INTEGRITY: %d, want 401", code)
			}
			malformed := stun.MustBuild(append([]stun.Setter{stun.TransactionID,
				stun.NewType(stun.MethodRefresh, stun.ClassRequest)},
				w.signature()[1:]...)...)
			if code := codeOf(w.lab, w.ask(malformed)); code != 400 {
				t.Errorf("without USERNAME: %d, want 400", code)
			}
		}},
		{"attributes behind MESSAGE-INTEGRITY", func(t *testing.T, w *wire) {
			w.allocate()
			m := w.build(stun.MethodCreatePermission)
			if err := peerAddr(w.relayed).AddTo(m); err != nil {
				t.Fatal(err)
			}
			m.WriteHeader()
			if code := codeOf(w.lab, w.ask(m)); code != 400 {
				t.Errorf("XOR-PEER-ADDRESS there: %d, want 400 as if it were not", code)
			}
			m = w.build(stun.MethodRefresh)
			m.Add(stun.AttrLifetime, make([]byte, 4))
			if code := codeOf(w.lab, w.ask(m)); code != 0 || w.Allocations() != 3 {
				t.Errorf("LIFETIME 0 there: %d, and %d allocations", code, w.Allocations())
			}
		}},
		{"a wrong FINGERPRINT", func(t *testing.T, w *wire) {
			m := stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.Fingerprint)
			m.Raw[len(m.Raw)-1] ^= 1
			w.silent(m.Raw)
		}},
		{"unknown attributes", func(t *testing.T, w *wire) {
			answer := w.ask(w.build(stun.MethodAllocate, udpTransport,
				attr{0x7FF0, []byte{1, 2, 3, 4}}, attr{0xFFF0, []byte{1}}))
			if types, err := answer.Get(stun.AttrUnknownAttributes); codeOf(w.lab, answer) != 420 ||
				err != nil || !bytes.Equal(types, []byte{0x7F, 0xF0}) {
				t.Errorf("got %v with %x, want 420 that names 7ff0", answer, types)
			}
		}},
		{"transports and families that are not served", func(t *testing.T, w *wire) {
			if code := w.code(stun.MethodAllocate, attr{stun.AttrRequestedTransport, []byte{6, 0, 0, 0}}); code != 442 {
				t.Errorf("TCP: %d, want 442", code)
			}
			if code := w.code(stun.MethodAllocate, udpTransport,
				attr{stun.AttrRequestedAddressFamily, []byte{3, 0, 0, 0}}); code != 440 {
				t.Errorf("a third family: %d, want 440", code)
			}
			w.allocate()
			if code := w.code(stun.MethodCreatePermission, peerAddr(netip.MustParseAddrPort("[2001:db8::1]:5000"))); code != 443 {
				t.Errorf("a peer of the other family: %d, want 443", code)
			}
		}},
		{"EVEN-PORT and RESERVATION-TOKEN", func(t *testing.T, w *wire) {
			if code := w.code(stun.MethodAllocate, udpTransport, attr{stun.AttrEvenPort, []byte{0x80}}); code != 508 {
				t.Errorf("with the R bit: %d, want 508", code)
			}
			if code := w.code(stun.MethodAllocate, udpTransport, attr{stun.AttrReservationToken, make([]byte, 8)}); code != 508 {
				t.Errorf("RESERVATION-TOKEN: %d, want 508", code)
			}
			if w.allocate(attr{stun.AttrEvenPort, []byte{0}}); w.relayed.Port()%2 != 0 {
				t.Errorf("EVEN-PORT gave %v", w.relayed)
			}
		}},
		{"channel numbers", func(t *testing.T, w *wire) {
			w.allocate()
			for n, want := range map[uint16]int{0: 400, 0x3FFF: 400, 0x8000: 400, 0xFFFF: 400, 0x7FFF: 0} {
				if code := w.code(stun.MethodChannelBind, number(n), peerAddr(w.relayed)); code != want {
					t.Errorf("%#x: %d, want %d", n, code, want)
				}
			}
		}},
		{"peers that are not reached", func(t *testing.T, w *wire) {
			w.allocate()
			ipv6 := attr{stun.AttrRequestedAddressFamily, []byte{2, 0, 0, 0}}
			six := w.wire(w.transport, "own", "patient").allocate(ipv6)
			for _, peer := range unreachable(w) {
				for _, w := range []*wire{w, six} {
					want := 403
					if peer.Addr().Is4() != w.relayed.Addr().Is4() {
						want = 443
					}
					permission := want
					if peer.Addr() == w.relayed.Addr() {
						permission = 0 // it covers the address, whatever the port
					}
					if code := w.code(stun.MethodCreatePermission, peerAddr(peer)); code != permission {
						t.Errorf("CreatePermission for %v: %d, want %d", peer, code, permission)
					}
					if code := w.code(stun.MethodChannelBind, number(0x4000), peerAddr(peer)); code != want {
						t.Errorf("ChannelBind to %v: %d, want %d", peer, code, want)
					}
					w.silent(sendTo(peer).Raw)
				}
			}
			// The permission for the relay's own address opens no other port there.
			if code := w.code(stun.MethodCreatePermission, peerAddr(w.relayed)); code != 0 {
				t.Fatalf("its own address: %d", code)
			}
			w.silent(sendTo(netip.AddrPortFrom(w.relayed.Addr(), 22)).Raw)
			w.silent(channelData(0x4000, "no such channel"))
		}},
		{"an unauthenticated Allocate too short for its answer", func(t *testing.T, w *wire) {
			bare := stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodAllocate, stun.ClassRequest))
			if w.transport == core.UDP {
				w.silent(bare.Raw)
			} else if code := codeOf(w.lab, w.ask(bare)); code != 401 {
				t.Errorf("over a stream, whose source is genuine: %d, want 401", code)
			}
		}},
		{"a nonce that is not ours", func(t *testing.T, w *wire) {
			for _, nonce := range []string{"x", strings.Repeat("A", 16), strings.Repeat("n", 128)} {
				w.nonce = nonce
				answer := w.ask(w.build(stun.MethodAllocate, udpTransport))
				fresh, err := answer.Get(stun.AttrNonce)
				if codeOf(w.lab, answer) != 438 || err != nil {
					t.Fatalf("nonce %q: %v, want 438", nonce, answer)
				}
				w.nonce = string(fresh)
			}
			w.allocate()
		}},
		{"messages around the bound", func(t *testing.T, w *wire) {
			w.allocate()
			if code := w.code(stun.MethodChannelBind, number(0x4000), peerAddr(w.relayed)); code != 0 {
				t.Fatal(code)
			}
			largest := channelData(0x4000, strings.Repeat("x", core.MaxMessage-4))
			w.send(largest)
			if got := w.receive(); !bytes.Equal(got, largest) {
				t.Errorf("of %d bytes %d arrived", len(largest), len(got))
			}
			m := stun.MustBuild(stun.TransactionID, stun.BindingRequest,
				attr{stun.AttrSoftware, make([]byte, core.MaxMessage)})
			w.silent(m.Raw)
		}},
		{"a right Allocate beyond the bound", func(t *testing.T, w *wire) {
			w.silent(w.build(stun.MethodAllocate, udpTransport,
				attr{stun.AttrSoftware, make([]byte, core.MaxMessage)}).Raw)
			if n := w.Allocations(); n != 2 {
				t.Errorf("%d allocations, want the neighbors' two", n)
			}
		}},
		{"a ClientHello of DTLS", func(t *testing.T, w *wire) { w.silent(dtlsHello()) }},
		{"Allocate that is retransmitted", func(t *testing.T, w *wire) {
			m := w.build(stun.MethodAllocate, udpTransport)
			first := w.ask(m)
			for range 6 {
				if again := w.ask(m); !bytes.Equal(again.Raw, first.Raw) {
					t.Fatalf("answered with %v, then with %v", first, again)
				}
			}
			if w.Allocations() != 3 {
				t.Errorf("%d allocations, want this one and the neighbors' two", w.Allocations())
			}
		}},
		{"malformed STUN", func(t *testing.T, w *wire) {
			good := w.build(stun.MethodAllocate, udpTransport).Raw
			for name, change := range map[string]func([]byte){
				"length":           func(b []byte) { b[3] -= 4 },
				"attribute length": func(b []byte) { b[22], b[23] = 0x7F, 0xFF },
				"a response":       func(b []byte) { b[0] |= 1 },
				"unknown method":   func(b []byte) { b[1] = 0x0E },
				"leading bits":     func(b []byte) { b[0] |= 0x80 },
				"cookie":           func(b []byte) { b[4] ^= 1 },
			} {
				bad := bytes.Clone(good)
				change(bad)
				t.Log(name)
				w.again().silent(bad)
			}
		}},
	}
	for _, transport := range allTransports {
		t.Run(transport.String(), func(t *testing.T) {
			for _, test := range tests {
				t.Run(test.name, func(t *testing.T) {
					l := newLabAt(t, loopback, newClock().now,
						func(_ *config.Listen, r *config.Relay) { r.UnauthenticatedRate = 1000 })
					neighbor := l.wire(core.UDP, "neighbors", "doctor").allocate()
					partner := l.wire(core.TCP, "neighbors", "patient").allocate()
					for _, w := range []*wire{neighbor, partner} {
						if code := w.code(stun.MethodChannelBind, number(0x4000),
							peerAddr(map[*wire]netip.AddrPort{neighbor: partner.relayed, partner: neighbor.relayed}[w])); code != 0 {
							t.Fatal(code)
						}
					}
					neighborsTalk := func() {
						t.Helper()
						neighbor.send(channelData(0x4000, "still here"))
						if got := partner.receive(); !bytes.Equal(got, channelData(0x4000, "still here")) {
							t.Errorf("the neighbors' call carries %q", got)
						}
					}
					neighborsTalk()
					before := l.state()
					test.do(t, l.wire(transport, "own", "doctor"))
					neighborsTalk()
					l.nothingLeft(transport, before)
				})
			}
		})
	}
}

// nothingLeft checks that everything added since a state goes with its connections or, over UDP,
// with its appointment.
func (l *lab) nothingLeft(transport core.Transport, before state) {
	l.Helper()
	for _, w := range l.wires[2:] {
		w.Close()
	}
	until(l.T, func() bool { // all but the partner's, which uses TCP
		l.mu.Lock()
		defer l.mu.Unlock()
		open, _ := l.open.Use()
		handshaking, _ := l.handshakes.Use()
		return l.streams.Len() == 1 && open == 1 && handshaking == 0
	})
	if transport == core.UDP {
		l.Revoke(id("own"), "", 0)
		l.Forget(id("own"))
	}
	if after := l.state(); !after.equal(before) {
		l.Errorf("left is %v, want %v", after, before)
	}
}

// dtlsHello begins a DTLS 1.2 handshake (RFC 6347, section 4.2.1).
func dtlsHello() []byte {
	hello := append([]byte{0xFE, 0xFD}, make([]byte, 32)...) // version, random
	// no session, no cookie, one suite, no compression
	hello = append(hello, 0, 0, 0, 2, 0xC0, 0x2B, 1, 0)
	head := []byte{1, 0, 0, byte(len(hello)), 0, 0, 0, 0, 0, 0, 0, byte(len(hello))} // ClientHello, whole
	record := []byte{22, 0xFE, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0, byte(len(head) + len(hello))}
	return slices.Concat(record, head, hello)
}

// again is another connection of the same seat.
func (w *wire) again() *wire { return w.wire(w.transport, "own", "doctor") }

func sendTo(peer netip.AddrPort) *stun.Message {
	return stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodSend, stun.ClassIndication),
		peerAddr(peer), attr{stun.AttrData, []byte("out")})
}

// unreachable are addresses that a paired relay must not reach, including internal ones in every
// encoding.
func unreachable(w *wire) (list []netip.AddrPort) {
	for _, text := range []string{
		"0.0.0.0", "127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.1.1",
		"169.254.169.254", "100.64.0.1",
		"224.0.0.1", "255.255.255.255", "8.8.8.8", "::", "::1", "fe80::1", "fd00::1", "ff02::1",
		"2606:4700::1111",
		"::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::127.0.0.1", "2002:7f00:1::", "2001:0:7f00:1::80ff:fffe",
	} {
		for _, port := range []uint16{0, 22, 443, w.Addresses().UDP[0].Port(), 50000} {
			peer := netip.AddrPortFrom(netip.MustParseAddr(text), port)
			if peer != w.relayed {
				list = append(list, peer)
			}
		}
	}
	return list
}

// TestAmplificationOnTheWire measures IP bytes over IPv4 and IPv6, also where RFC 5780 adds to the
// answers and lets them leave from, and go to, other addresses.
func TestAmplificationOnTheWire(t *testing.T) {
	worst := 0.0
	for _, listeners := range [][]string{{"127.0.0.1:0"}, {"[::1]:0"}, alternateListeners(t)} {
		listen := loopback
		listen.TURNUDP = listeners
		l := newLabWith(t, listen, func(_ *config.Listen, r *config.Relay) { r.UnauthenticatedRate = 10_000 })
		server := l.Addresses().UDP[0]
		header := 40 + 8
		if server.Addr().Is4() {
			header = 20 + 8
		}
		// Unconnected sockets receive from any address.
		var sockets [2]*net.UDPConn
		for i := range sockets {
			var err error
			if sockets[i], err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(server.Addr(), 0))); err != nil {
				t.Fatal(err)
			}
			defer sockets[i].Close()
		}
		other := sockets[1].LocalAddr().(*net.UDPAddr).Port
		ask := func(m *stun.Message) {
			t.Helper()
			if _, err := sockets[0].WriteToUDPAddrPort(m.Raw, server); err != nil {
				t.Fatal(err)
			}
		}
		got := make([]byte, 4096)
		answered, elsewhere := 0, 0
		for _, method := range []stun.Method{
			stun.MethodBinding, stun.MethodAllocate, stun.MethodRefresh, stun.MethodCreatePermission,
			stun.MethodChannelBind, stun.MethodSend,
		} {
			for _, setters := range [][]stun.Setter{
				nil, {stun.Fingerprint}, {udpTransport}, {udpTransport, stun.Fingerprint},
				{udpTransport, lifetime(0)}, {attr{0x7FF0, nil}},
				{attr{0x7FF0, nil}, attr{0x7FF1, nil}, attr{0x7FF2, nil}},
				{attr{stun.AttrChangeRequest, []byte{0, 0, 0, 2}}}, {attr{stun.AttrChangeRequest, []byte{0, 0, 0, 4}}},
				{attr{stun.AttrChangeRequest, []byte{0, 0, 0, 6}}},
				{attr{stun.AttrChangeRequest, []byte{0, 0, 0, 6}}, stun.Fingerprint},
				{attr{0x0027, []byte{byte(other >> 8), byte(other), 0, 0}}},
				{attr{0x0027, []byte{byte(other >> 8), byte(other), 0, 0}}, attr{stun.AttrChangeRequest, []byte{0, 0, 0, 6}}},
				{stun.NewUsername("x"), stun.NewRealm("x"), stun.NewNonce("x"), stun.NewShortTermIntegrity("x")},
				{stun.NewUsername("x"), stun.NewShortTermIntegrity("x")}, {attr{stun.AttrMessageIntegrity, []byte{1}}},
			} {
				m := stun.MustBuild(append([]stun.Setter{stun.TransactionID, stun.NewType(method, stun.ClassRequest)}, setters...)...)
				ask(m)
				probe := stun.MustBuild(stun.TransactionID, stun.BindingRequest)
				ask(probe)
				// Nothing follows the probe's answer: packets to other addresses went before it.
				out := 0
				for done := false; !done; {
					_ = sockets[0].SetReadDeadline(time.Now().Add(5 * time.Second))
					n, from, err := sockets[0].ReadFromUDPAddrPort(got)
					answer := new(stun.Message)
					if err := errors.Join(err, stun.Decode(got[:n], answer)); err != nil {
						t.Fatal(err)
					}
					if done = answer.TransactionID == probe.TransactionID; !done {
						out += n + header
						answered++
						if plain(from) != server {
							elsewhere++
						}
					}
				}
				for {
					_ = sockets[1].SetReadDeadline(time.Now().Add(time.Millisecond))
					n, _, err := sockets[1].ReadFromUDPAddrPort(got)
					if err != nil {
						break
					}
					out += n + header
					answered++
					elsewhere++
				}
				factor := float64(out) / float64(len(m.Raw)+header)
				if worst = max(worst, factor); factor > 1.65 {
					t.Errorf("%v: %v of %d bytes gets x%.2f", listeners, m, len(m.Raw), factor)
				}
			}
		}
		if answered < 20 {
			t.Errorf("%v: only %d of the requests were answered", listeners, answered)
		}
		if want := map[bool]int{true: 6, false: 0}[len(listeners) == 4]; elsewhere != want {
			t.Errorf("%v: %d answers came from elsewhere or went elsewhere, want %d", listeners,
				elsewhere, want)
		}
	}
	t.Logf("at worst x%.2f", worst)
}

// alternateListeners returns two addresses with two ports that are free on both.
func alternateListeners(t *testing.T) (list []string) {
	t.Helper()
	var ports []int
	for len(ports) < 2 {
		one, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		defer one.Close()
		port := one.LocalAddr().(*net.UDPAddr).Port
		if two, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2), Port: port}); err == nil {
			defer two.Close()
			ports = append(ports, port)
		}
	}
	for _, host := range []string{"127.0.0.1", "127.0.0.2"} {
		for _, port := range ports {
			list = append(list, fmt.Sprintf("%s:%d", host, port))
		}
	}
	return list
}
