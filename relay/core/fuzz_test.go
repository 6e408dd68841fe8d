package core

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v3"
)

// FuzzCore feeds foreign bytes to a core that holds two appointments. Whatever they
// are: no panic, no state for a stranger, nothing forwarded across appointments, and
// every answer goes to whoever asked.
func FuzzCore(f *testing.F) {
	seeds := newLab(f)
	p := seeds.allocated("198.51.100.1:1000", "x", "doctor")
	for _, m := range []*stun.Message{
		build(f, stun.MethodBinding, stun.ClassRequest, stun.Fingerprint),
		build(f, stun.MethodAllocate, stun.ClassRequest, requestedTransport(protocolUDP)),
		build(f, stun.MethodSend, stun.ClassIndication, xorPeer(p.relayed), raw{stun.AttrData, []byte("data")}),
		p.build(stun.MethodRefresh, lifetime(0)),
		p.build(stun.MethodChannelBind, channelNumber(0x4000), xorPeer(p.relayed)),
		p.build(stun.MethodCreatePermission, xorPeer(p.relayed), raw{stun.AttrEvenPort, []byte{0x80}}),
	} {
		f.Add(m.Raw, m.Raw)
	}
	f.Add([]byte{0x40, 0x00, 0xFF, 0xFC, 0, 0, 0, 0, 0}, []byte{0x40, 0x00, 0x00, 0x01, 'x', 0, 0, 0})

	f.Fuzz(func(t *testing.T, strangers, members []byte) {
		l := newLab(t)
		a, b := l.allocated("198.51.100.1:1000", "x", "doctor"), l.allocated("198.51.100.2:1000", "x", "patient")
		c := l.allocated("198.51.100.3:1000", "y", "doctor")
		a.bind(0x4000, b.relayed)
		b.bind(0x4000, a.relayed)
		stranger := l.peer("198.51.100.66:6666", "z", "patient")

		if to, out := stranger.raw(strangers); len(out) > 0 && to != stranger.tuple {
			t.Fatalf("a stranger's bytes went to %v", to.Client)
		} else if (len(out)+28)*100 > (len(strangers)+28)*maxAmplification {
			t.Fatalf("%d bytes were answered with %d", len(strangers), len(out))
		}
		if l.Holds(stranger.tuple) || l.Allocations() != 3 {
			t.Fatal("a stranger has changed something")
		}
		if to, out := a.raw(members); len(out) > 0 && to != a.tuple && to != b.tuple {
			t.Fatalf("a member's bytes went to %v", to.Client)
		}
		// Signed by a member, the bytes are the attributes of a request.
		for _, method := range []stun.Method{
			stun.MethodAllocate, stun.MethodRefresh, stun.MethodCreatePermission, stun.MethodChannelBind,
		} {
			to, out := a.raw(a.build(method, attributes(members)).Raw)
			if len(out) > 0 && to != a.tuple {
				t.Fatalf("%v: the answer went to %v", method, to.Client)
			}
		}
		for _, from := range []*peer{a, b} {
			if to, _ := from.channelData(0x4000, "media"); to == c.tuple {
				t.Fatal("data went into another appointment")
			}
		}
		l.now = l.now.Add(2 * time.Hour)
		l.Sweep(l.now)
		if l.Allocations() != 0 || l.routes.Len() != 0 || len(l.appointments) != 0 {
			t.Fatal("something outlived its time")
		}
	})
}

// attributes adds bytes as they are, as far as they form whole attributes.
type attributes []byte

func (b attributes) AddTo(m *stun.Message) error {
	for len(b) >= 4 && len(m.Raw) < 1024 {
		size := min(int(b[3]), len(b)-4)
		// pion does not sign what has one of these already.
		if kind := stun.AttrType(uint16(b[0])<<8 | uint16(b[1])); kind != stun.AttrFingerprint && kind != stun.AttrMessageIntegrity {
			m.Add(kind, b[4:4+size])
		}
		b = b[4+size:]
	}
	return nil
}

// FuzzXORAddress holds our code for addresses against pion's.
func FuzzXORAddress(f *testing.F) {
	f.Add([]byte{0, 1, 0, 80, 1, 2, 3, 4})
	f.Add(append([]byte{0, 2, 0, 80}, make([]byte, 16)...))
	f.Fuzz(func(t *testing.T, value []byte) {
		if len(value) > 0 {
			value[0] = 0 // "MUST be ignored by receivers", pion does not
		}
		m := build(t, stun.MethodBinding, stun.ClassRequest, raw{stun.AttrXORPeerAddress, value})
		ours, ok := parseXORAddress(value, m.TransactionID)
		var theirs stun.XORMappedAddress
		err := theirs.GetFromAs(m, stun.AttrXORPeerAddress)
		if ok && err != nil {
			t.Fatalf("%x is %v to us, and to pion: %v", value, ours, err)
		}
		if !ok {
			return // pion accepts more: values that are too short
		}
		ip, _ := netip.AddrFromSlice(theirs.IP)
		if ip != ours.Addr() || theirs.Port != int(ours.Port()) {
			t.Fatalf("%x is %v to us and %v to pion", value, ours, theirs)
		}
		again := appendXORAddress(nil, stun.AttrXORPeerAddress, m.TransactionID, ours)
		if string(again[4:]) != string(value) {
			t.Fatalf("%x became %x", value, again[4:])
		}
	})
}
