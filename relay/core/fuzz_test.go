package core

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v3"
)

// FuzzCore feeds foreign bytes to a core that holds two appointments. Whatever they are: no panic,
// no state for a stranger, nothing forwarded across appointments, and every answer goes to the
// sender.
func FuzzCore(f *testing.F) {
	seeds := newLab(f)
	p := seeds.allocated("198.51.100.1:1000", "x", "doctor")
	for _, m := range []*stun.Message{
		build(f, stun.MethodBinding, stun.ClassRequest, stun.Fingerprint),
		build(f, stun.MethodAllocate, stun.ClassRequest, requestedTransport(protocolUDP)),
		build(f, stun.MethodSend, stun.ClassIndication, xorPeer(p.relayed),
			raw{stun.AttrData, []byte("data")}),
		p.build(stun.MethodRefresh, lifetime(0)),
		p.build(stun.MethodChannelBind, channelNumber(0x4000), xorPeer(p.relayed)),
		p.build(stun.MethodCreatePermission, xorPeer(p.relayed), raw{stun.AttrEvenPort, []byte{0x80}}),
	} {
		f.Add(m.Raw, m.Raw)
	}
	f.Add([]byte{0x40, 0x00, 0xFF, 0xFC, 0, 0, 0, 0, 0}, []byte{0x40, 0x00, 0x00, 0x01, 'x', 0, 0, 0})

	f.Fuzz(func(t *testing.T, strangers, members []byte) {
		l := newLab(t)
		a := l.allocated("198.51.100.1:1000", "x", "doctor")
		b := l.allocated("198.51.100.2:1000", "x", "patient")
		c := l.allocated("198.51.100.3:1000", "y", "doctor")
		a.bind(0x4000, b.relayed)
		b.bind(0x4000, a.relayed)
		c.permit(c.relayed) // which covers everybody's address: only the appointment keeps others out
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
			for _, m := range []*stun.Message{
				a.build(method, attributes(members)),
				a.build(method, attributes(members), channelNumber(0x4007), xorPeer(c.relayed)),
			} {
				if to, out := a.raw(m.Raw); len(out) > 0 && to != a.tuple {
					t.Fatalf("%v: the answer went to %v", method, to.Client)
				}
			}
		}
		for _, from := range []*peer{a, b} {
			held := l.allocations[from.tuple]
			if held == nil {
				continue // the bytes were a Refresh with LIFETIME 0
			}
			for _, ch := range held.channels {
				if to, out := from.channelData(ch.number, "media"); len(out) > 0 && to != a.tuple &&
					to != b.tuple {
					t.Fatalf("data went into another appointment, by channel %x", ch.number)
				}
			}
			for _, p := range held.permissions {
				to, out := from.send(netip.AddrPortFrom(p.peer, c.relayed.Port()), "media")
				if len(out) > 0 && to != a.tuple && to != b.tuple {
					t.Fatalf("data went into another appointment, by the permission for %v", p.peer)
				}
			}
		}
		l.now = l.now.Add(2 * time.Hour)
		l.Sweep(l.now)
		if l.Allocations() != 0 || l.routes.Len() != 0 || len(l.appointments) != 0 || len(l.prefixes) != 0 {
			t.Fatal("something outlived its time")
		}
	})
}

// FuzzOpenRelay feeds foreign bytes to an open relay, from a stranger, a member and a peer outside.
// Whatever they are, data goes only to members and to peers that the policy permits.
func FuzzOpenRelay(f *testing.F) {
	seeds, _ := openLab(f)
	p := seeds.allocated("198.51.100.1:1000", "x", "doctor")
	outside := netip.MustParseAddrPort("203.0.113.5:5000")
	send := build(f, stun.MethodSend, stun.ClassIndication, xorPeer(outside), raw{stun.AttrData, []byte("data")})
	f.Add(send.Raw, []byte{0x40, 0, 0, 1, 'x', 0, 0, 0}, uint16(5000))
	bind := p.build(stun.MethodChannelBind, channelNumber(0x4001), xorPeer(outside))
	f.Add(bind.Raw, []byte("in"), uint16(22))
	f.Fuzz(func(t *testing.T, member, data []byte, port uint16) {
		l, bound := openLab(t)
		a := l.allocated("198.51.100.1:1000", "x", "doctor")
		b := l.allocated("198.51.100.3:1000", "y", "doctor")
		a.bind(0x4000, outside)
		members := map[FiveTuple]bool{a.tuple: true, b.tuple: true}
		check := func(to FiveTuple, out []byte) {
			t.Helper()
			switch {
			case len(out) == 0 || members[to]:
			case to.Transport != Relayed || !l.config.Open.Permits(to.Client.Addr()) ||
				to.Client.Port() < l.config.Open.MinPeerPort || !bound[to.Server]:
				t.Fatalf("%x went to %v", out, to)
			}
		}
		check(a.raw(member))
		for _, method := range []stun.Method{stun.MethodCreatePermission, stun.MethodChannelBind,
			stun.MethodAllocate, stun.MethodRefresh} {
			check(a.raw(a.build(method, attributes(member)).Raw))
		}
		check(a.raw(build(t, stun.MethodSend, stun.ClassIndication, attributes(member)).Raw))
		check(a.raw(data))
		for _, relayed := range []netip.AddrPort{a.relayed, b.relayed} {
			to, out := l.Receive(l.now, relayed, netip.AddrPortFrom(outside.Addr(), port), data, l.buf)
			if len(out) > 0 && to != a.tuple {
				t.Fatalf("a peer's data went to %v", to)
			}
		}
		l.Close(l.now)
		if len(bound) != 0 || l.routes.Len() != 0 || len(l.open.relayed) != 0 || len(l.open.towards) != 0 {
			t.Fatal("something outlived the end")
		}
	})
}

// FuzzDecode compares the strict decoder with pion's, which is less strict: whatever ours accepts
// is STUN to both, with the same content.
func FuzzDecode(f *testing.F) {
	l := newLab(f)
	p := l.allocated("198.51.100.1:1000", "x", "doctor")
	f.Add(build(f, stun.MethodBinding, stun.ClassRequest, stun.Fingerprint).Raw)
	f.Add(p.build(stun.MethodChannelBind, channelNumber(0x4000), xorPeer(p.relayed), lifetime(600),
		requestedTransport(17), raw{stun.AttrEvenPort, []byte{0x80}},
		raw{stun.AttrReservationToken, make([]byte, 8)}, raw{0x7FF0, nil}).Raw)
	f.Fuzz(func(t *testing.T, in []byte) {
		var r request
		if !r.decode(append([]byte(nil), in...)) {
			return
		}
		m := new(stun.Message)
		if err := stun.Decode(in, m); err != nil {
			t.Fatalf("%x is STUN here, and to pion: %v", in, err)
		}
		if r.kind != m.Type || r.id != m.TransactionID {
			t.Fatalf("%v with %x here, %v with %x there", r.kind, r.id, m.Type, m.TransactionID)
		}
		if r.integrity || r.malformed || r.badCredentials {
			return // pion does not stop where we do
		}
		for kind, text := range map[stun.AttrType]string{stun.AttrUsername: r.username,
			stun.AttrRealm: r.realm, stun.AttrNonce: r.nonce, stun.AttrData: string(r.data)} {
			if value, err := m.Get(kind); err == nil && string(value) != text {
				t.Fatalf("%v is %q here, %q there", kind, text, value)
			}
		}
	})
}

// attributes adds bytes as they are, up to the last whole attribute.
type attributes []byte

func (b attributes) AddTo(m *stun.Message) error {
	for len(b) >= 4 && len(m.Raw) < 1024 {
		size := min(int(b[3]), len(b)-4)
		// pion does not sign a message that already has one of these.
		if kind := stun.AttrType(uint16(b[0])<<8 | uint16(b[1])); kind != stun.AttrFingerprint &&
			kind != stun.AttrMessageIntegrity {
			m.Add(kind, b[4:4+size])
		}
		b = b[4+size:]
	}
	return nil
}

// FuzzXORAddress compares our address code with pion's.
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
			return // pion also accepts values that are too short
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
