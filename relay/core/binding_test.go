package core

import (
	"net/netip"
	"testing"

	"github.com/pion/stun/v3"

	"praxisrelay/relay/credential"
)

// TestNATBehaviorDiscovery runs RFC 5780's tests where two addresses have two ports each.
func TestNATBehaviorDiscovery(t *testing.T) {
	keys, err := credential.NewKeyring([]byte("the secret of all tests"))
	if err != nil {
		t.Fatal(err)
	}
	listeners := []netip.AddrPort{
		netip.MustParseAddrPort("192.0.2.1:3478"), netip.MustParseAddrPort("192.0.2.1:3479"),
		netip.MustParseAddrPort("192.0.2.2:3478"), netip.MustParseAddrPort("192.0.2.2:3479"),
		netip.MustParseAddrPort("192.0.2.3:3478"), netip.MustParseAddrPort("[::]:3478"),
	}
	l := newLabWith(t, Config{RelayedIPv4: relayed, Listeners: listeners}, keys)
	change := func(flags byte) stun.Setter { return raw{stun.AttrChangeRequest, []byte{0, 0, 0, flags}} }
	ask := func(p *peer, setters ...stun.Setter) (FiveTuple, *stun.Message) {
		t.Helper()
		m := build(t, stun.MethodBinding, stun.ClassRequest, setters...)
		to, out := p.raw(m.Raw)
		answer := new(stun.Message)
		if err := stun.Decode(out, answer); err != nil || answer.TransactionID != m.TransactionID {
			t.Fatalf("%v: %x", err, out)
		}
		return to, answer
	}
	for i, listener := range listeners[:4] {
		p := l.peer("198.51.100.1:1000", "x", "doctor")
		p.tuple.Listener, p.tuple.Server = uint16(i), listener
		for flags, want := range map[byte]int{0: i, 2: i ^ 1, 4: i ^ 2, 6: i ^ 3} {
			to, answer := ask(p, change(flags))
			if to.Server != listeners[want] || int(to.Listener) != want || to.Client != p.tuple.Client {
				t.Errorf("to %v, flags %d: answered from %v", listener, flags, to.Server)
			}
			if got := text(t, answer, stun.AttrOtherAddress); got != plainText(listeners[i^3]) {
				t.Errorf("to %v: OTHER-ADDRESS is %x", listener, got)
			}
			if got := text(t, answer, stun.AttrResponseOrigin); got != plainText(listeners[want]) {
				t.Errorf("to %v, flags %d: RESPONSE-ORIGIN is %x", listener, flags, got)
			}
			if xorAddr(t, answer, stun.AttrXORMappedAddress) != p.tuple.Client {
				t.Errorf("mapped to %v", answer)
			}
		}
		_, answer := ask(p) // no CHANGE-REQUEST: the answer fits into 1.65 times the request
		if got := text(t, answer, stun.AttrOtherAddress); got != plainText(listeners[i^3]) {
			t.Errorf("to %v, without CHANGE-REQUEST: OTHER-ADDRESS is %x", listener, got)
		}
	}
	// RESPONSE-PORT changes where the answer goes, not its content.
	p := l.peer("198.51.100.1:1000", "x", "doctor")
	p.tuple.Server = listeners[0]
	elsewhere := netip.MustParseAddrPort("198.51.100.1:8192")
	if to, answer := ask(p, raw{attrResponsePort, []byte{0x20, 0x00, 0, 0}}); to.Client != elsewhere ||
		xorAddr(t, answer, stun.AttrXORMappedAddress) != p.tuple.Client {
		t.Errorf("with RESPONSE-PORT: %v at %v", answer, to.Client)
	}
	if _, answer := ask(p, raw{attrResponsePort, make([]byte, 4)}); errorCode(t, answer) != 400 {
		t.Errorf("RESPONSE-PORT zero: %v, want 400", answer)
	}
	// Elsewhere the attributes are unknown.
	for i := 4; i < 6; i++ {
		p := l.peer("198.51.100.1:1000", "x", "doctor")
		p.tuple.Listener, p.tuple.Server = uint16(i), listeners[i]
		for _, wish := range []stun.Setter{change(6), raw{attrResponsePort, []byte{0x20, 0x00, 0, 0}}} {
			if _, answer := ask(p, wish); errorCode(t, answer) != 420 {
				t.Errorf("to %v, %v: %v, want 420", listeners[i], wish, answer)
			}
		}
	}
	p = l.peer("198.51.100.1:1000", "x", "doctor")
	p.tuple.Transport = TCP
	if _, answer := ask(p, change(6)); errorCode(t, answer) != 420 {
		t.Errorf("over TCP: %v, want 420", answer)
	}
	p = l.peer("198.51.100.1:1000", "x", "doctor")
	if _, answer := ask(p, raw{stun.AttrChangeRequest, []byte{6}}); errorCode(t, answer) != 400 {
		t.Errorf("a short CHANGE-REQUEST: %v, want 400", answer)
	}
	if _, answer := ask(p, raw{attrPadding, make([]byte, 64)}); errorCode(t, answer) != 420 {
		t.Errorf("PADDING: %v, want 420", answer)
	}
	if code := l.peer("198.51.100.1:1001", "x", "doctor").refused(stun.MethodAllocate,
		requestedTransport(protocolUDP), change(6)); code != 420 {
		t.Errorf("in an Allocate: %d, want 420", code)
	}
}

const attrPadding stun.AttrType = 0x0026 // RFC 5780, section 7.6

func plainText(addr netip.AddrPort) string {
	ip := addr.Addr().As4()
	return string(append([]byte{0, 1, byte(addr.Port() >> 8), byte(addr.Port())}, ip[:]...))
}
