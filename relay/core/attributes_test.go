package core

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pion/stun/v3"
)

// TestTheFirstOfRepeatedAttributesCounts, and the others are ignored even if malformed (RFC 8489,
// section 14). Only XOR-PEER-ADDRESS may be repeated.
func TestTheFirstOfRepeatedAttributesCounts(t *testing.T) {
	l := newLab(t)
	a, b := l.allocated("198.51.100.1:1000", "x", "doctor"), l.allocated("198.51.100.2:1000", "x", "patient")
	b.permit(a.relayed)
	short := func(kind stun.AttrType) stun.Setter { return raw{kind, []byte{1, 2, 3}} }

	for _, second := range []stun.Setter{lifetime(0), lifetime(600), short(stun.AttrLifetime)} {
		if got := lifetimeOf(t, a.ok(stun.MethodRefresh, lifetime(1800), second)); got != 30*time.Minute {
			t.Errorf("LIFETIME 1800, then %v: %v", second, got)
		}
	}
	if code := a.refused(stun.MethodRefresh, short(stun.AttrLifetime), lifetime(1800)); code != 400 {
		t.Errorf("a malformed LIFETIME, then a right one: %d, want 400", code)
	}

	for _, second := range []stun.Setter{channelNumber(0x4001), channelNumber(0x8000), short(stun.AttrChannelNumber)} {
		a.ok(stun.MethodChannelBind, channelNumber(0x4000), second, xorPeer(b.relayed))
		if held := l.allocations[a.tuple].channels; len(held) != 1 || held[0].number != 0x4000 {
			t.Fatalf("CHANNEL-NUMBER 0x4000, then %v: %v is bound", second, held)
		}
	}
	if code := a.refused(stun.MethodChannelBind, channelNumber(0x3FFF), channelNumber(0x4000), xorPeer(b.relayed)); code != 400 {
		t.Errorf("CHANNEL-NUMBER 0x3FFF, then 0x4000: %d, want 400", code)
	}

	for _, second := range []string{"second", ""} {
		to, out := a.raw(build(t, stun.MethodSend, stun.ClassIndication, xorPeer(b.relayed),
			raw{stun.AttrData, []byte("first")}, raw{stun.AttrData, []byte(second)}).Raw)
		b.indicated(a.relayed, "first", to, out)
	}

	family := func(f byte) stun.Setter { return raw{stun.AttrRequestedAddressFamily, []byte{f, 0, 0, 0}} }
	udp, tcp := requestedTransport(protocolUDP), requestedTransport(6)
	even, pair := raw{stun.AttrEvenPort, []byte{0}}, raw{stun.AttrEvenPort, []byte{0x80}}
	token := raw{stun.AttrReservationToken, make([]byte, 8)}
	additional := raw{attrAdditionalAddressFamily, []byte{familyIPv6, 0, 0, 0}}
	for name, test := range map[string]struct {
		want int
		with []stun.Setter
	}{
		"UDP, then TCP":                {0, []stun.Setter{udp, tcp}},
		"TCP, then UDP":                {442, []stun.Setter{tcp, udp}},
		"UDP, then malformed":          {0, []stun.Setter{udp, short(stun.AttrRequestedTransport)}},
		"IPv4, then IPv6":              {0, []stun.Setter{udp, family(familyIPv4), family(familyIPv6)}},
		"IPv6, then IPv4":              {440, []stun.Setter{udp, family(familyIPv6), family(familyIPv4)}},
		"IPv4, then no family":         {0, []stun.Setter{udp, family(familyIPv4), family(0)}},
		"no family, then IPv4":         {400, []stun.Setter{udp, family(0), family(familyIPv4)}},
		"even, then even and the next": {0, []stun.Setter{udp, even, pair}},
		"even and the next, then even": {508, []stun.Setter{udp, pair, even}},
		"even, then malformed":         {0, []stun.Setter{udp, even, short(stun.AttrEvenPort)}},
		"a token, then malformed":      {508, []stun.Setter{udp, token, short(stun.AttrReservationToken)}},
		"IPv6 too, then malformed":     {0, []stun.Setter{udp, additional, short(attrAdditionalAddressFamily)}},
	} {
		p := l.peer("198.51.100.3:1000", "x", "patient")
		if code := p.refused(stun.MethodAllocate, test.with...); code != test.want {
			t.Errorf("Allocate, %s: %d, want %d", name, code, test.want)
		}
		l.Disconnected(l.now, p.tuple)
	}

	for i, second := range []stun.Setter{
		raw{stun.AttrUsername, []byte(l.peer("198.51.100.9:1", "y", "doctor").credential.Username)},
		raw{stun.AttrUsername, nil}, raw{stun.AttrUsername, make([]byte, 509)},
		raw{stun.AttrRealm, []byte("elsewhere")}, raw{stun.AttrRealm, make([]byte, 764)},
		raw{stun.AttrNonce, []byte("another")}, raw{stun.AttrNonce, nil},
	} {
		answer := a.ask(build(t, stun.MethodRefresh, stun.ClassRequest,
			slices.Insert(a.signature(), 3, second)...))
		if code := errorCode(t, answer); code != 0 {
			t.Errorf("a second credential, %d: %d", i, code)
		}
	}
}

// TestSendNamesOnePeerAndData, or is dropped (RFC 8656, section 11.2), whatever the permissions.
func TestSendNamesOnePeerAndData(t *testing.T) {
	paired := newLab(t)
	open, _ := openLab(t)
	for name, l := range map[string]*lab{"paired": paired, "open": open} {
		a := l.allocated("198.51.100.1:1000", "x", "doctor")
		b := l.allocated("198.51.100.2:1000", "x", "patient")
		c := l.allocated("198.51.100.3:1000", "x", "patient")
		peer, other := xorPeer(b.relayed), xorPeer(c.relayed)
		b.permit(a.relayed)
		c.permit(a.relayed)
		if l == open {
			peer = xorPeer(netip.MustParseAddrPort("203.0.113.5:5000"))
			other = xorPeer(netip.MustParseAddrPort("203.0.113.6:5000"))
		}
		a.ok(stun.MethodCreatePermission, peer, other)
		data := raw{stun.AttrData, []byte("data")}
		for what, test := range map[string]struct {
			forwarded bool
			with      []stun.Setter
		}{
			"as it should be":            {true, []stun.Setter{peer, data}},
			"with nothing as DATA":       {true, []stun.Setter{peer, raw{stun.AttrData, nil}}},
			"with an optional attribute": {true, []stun.Setter{peer, data, raw{0xFFF0, nil}}},
			"without DATA":               {false, []stun.Setter{peer}},
			"without a peer":             {false, []stun.Setter{data}},
			"to two peers":               {false, []stun.Setter{peer, other, data}},
			"to one peer twice":          {false, []stun.Setter{peer, peer, data}},
			"to a malformed peer too":    {false, []stun.Setter{peer, raw{stun.AttrXORPeerAddress, []byte{0, 1}}, data}},
			"with an unknown attribute":  {false, []stun.Setter{peer, data, raw{0x7FF0, nil}}},
			"with DONT-FRAGMENT":         {false, []stun.Setter{peer, data, raw{stun.AttrDontFragment, nil}}},
			"with a malformed LIFETIME":  {false, []stun.Setter{peer, data, raw{stun.AttrLifetime, nil}}},
			"with a wrong FINGERPRINT":   {false, []stun.Setter{peer, data, raw{stun.AttrFingerprint, make([]byte, 4)}}},
			"with RESPONSE-PORT":         {false, []stun.Setter{peer, data, raw{attrResponsePort, []byte{0x20, 0, 0, 0}}}},
		} {
			to, out := a.raw(build(t, stun.MethodSend, stun.ClassIndication, test.with...).Raw)
			if forwarded := to != a.tuple; forwarded != test.forwarded || !forwarded && len(out) > 0 {
				t.Errorf("%s, Send %s: %q to %v", name, what, out, to.Client)
			}
		}
	}
}
