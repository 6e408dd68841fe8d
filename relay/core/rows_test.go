package core

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/pion/stun/v3"
)

// TestErrorCodes is a table of requests that a server must refuse, each with its code in RFC 8489
// or RFC 8656.
func TestErrorCodes(t *testing.T) {
	udp := requestedTransport(protocolUDP)
	v6 := raw{stun.AttrRequestedAddressFamily, []byte{familyIPv6, 0, 0, 0}}
	fresh := func(l *lab) *peer { return l.peer("198.51.100.1:1000", "x", "doctor") }
	held := func(l *lab) *peer {
		l.allocated("198.51.100.2:1000", "x", "patient")
		return l.allocated("198.51.100.1:1000", "x", "doctor")
	}
	// partner is a permitted peer address.
	partner := func(p *peer) stun.Setter {
		for addr, a := range p.appointments[id("x")].space.relayed {
			if a.tuple != p.tuple {
				return xorPeer(addr)
			}
		}
		return nil
	}
	type set = []stun.Setter
	tests := []struct {
		name   string
		peer   func(*lab) *peer
		method stun.Method
		with   func(*peer) set
		want   int
	}{
		{"Allocate", fresh, stun.MethodAllocate, func(*peer) set { return set{udp} }, 0},
		{"Allocate without a transport", fresh, stun.MethodAllocate, nil, 400},
		{"Allocate of TCP", fresh, stun.MethodAllocate, func(*peer) set { return set{requestedTransport(6)} }, 442},
		{"Allocate, transport too short", fresh, stun.MethodAllocate,
			func(*peer) set { return set{raw{stun.AttrRequestedTransport, []byte{17}}} }, 400},
		{"Allocate of IPv6", fresh, stun.MethodAllocate, func(*peer) set { return set{udp, v6} }, 440},
		{"Allocate of an unknown family", fresh, stun.MethodAllocate, func(*peer) set {
			return set{udp, raw{stun.AttrRequestedAddressFamily, []byte{9, 0, 0, 0}}}
		}, 440},
		{"Allocate, even port", fresh, stun.MethodAllocate,
			func(*peer) set { return set{udp, raw{stun.AttrEvenPort, []byte{0}}} }, 0},
		{"Allocate, even port and the next", fresh, stun.MethodAllocate,
			func(*peer) set { return set{udp, raw{stun.AttrEvenPort, []byte{0x80}}} }, 508},
		{"Allocate, reservation", fresh, stun.MethodAllocate,
			func(*peer) set { return set{udp, raw{stun.AttrReservationToken, make([]byte, 8)}} }, 508},
		{"Allocate, reservation and even port", fresh, stun.MethodAllocate, func(*peer) set {
			return set{udp, raw{stun.AttrReservationToken, make([]byte, 8)},
				raw{stun.AttrEvenPort, []byte{0}}}
		}, 400},
		{"Allocate, reservation and a family", fresh, stun.MethodAllocate, func(*peer) set {
			return set{udp, raw{stun.AttrReservationToken, make([]byte, 8)},
				raw{stun.AttrRequestedAddressFamily, []byte{familyIPv4, 0, 0, 0}}}
		}, 400},
		{"Allocate, reservation and an additional family", fresh, stun.MethodAllocate, func(*peer) set {
			return set{udp, raw{stun.AttrReservationToken, make([]byte, 8)},
				raw{attrAdditionalAddressFamily, []byte{familyIPv6, 0, 0, 0}}}
		}, 400},
		{"Allocate, reservation too short", fresh, stun.MethodAllocate,
			func(*peer) set { return set{udp, raw{stun.AttrReservationToken, make([]byte, 7)}} }, 400},
		{"Allocate, don't fragment", fresh, stun.MethodAllocate,
			func(*peer) set { return set{udp, raw{stun.AttrDontFragment, nil}} }, 420},
		{"Allocate, unknown and required", fresh, stun.MethodAllocate,
			func(*peer) set { return set{udp, raw{0x7FF0, []byte{1, 2, 3, 4}}} }, 420},
		{"Allocate, unknown and optional", fresh, stun.MethodAllocate,
			func(*peer) set { return set{udp, raw{0xFFF0, []byte{1}}} }, 0},
		{"Allocate, lifetime too short", fresh, stun.MethodAllocate,
			func(*peer) set { return set{udp, raw{stun.AttrLifetime, []byte{1, 2}}} }, 400},
		{"Allocate again", held, stun.MethodAllocate, func(*peer) set { return set{udp} }, 437},

		{"Refresh without an allocation", fresh, stun.MethodRefresh, nil, 437},
		{"CreatePermission without an allocation", fresh, stun.MethodCreatePermission,
			func(*peer) set { return set{xorPeer(server)} }, 437},
		{"ChannelBind without an allocation", fresh, stun.MethodChannelBind,
			func(*peer) set { return set{channelNumber(0x4000), xorPeer(server)} }, 437},
		{"Refresh", held, stun.MethodRefresh, nil, 0},
		{"Refresh of the other family", held, stun.MethodRefresh, func(*peer) set { return set{v6} }, 443},

		{"CreatePermission without a peer", held, stun.MethodCreatePermission, nil, 400},
		{"CreatePermission for IPv6", held, stun.MethodCreatePermission,
			func(*peer) set { return set{raw{stun.AttrXORPeerAddress, append([]byte{0, 2}, make([]byte, 18)...)}} }, 443},
		{"CreatePermission, a third family", held, stun.MethodCreatePermission,
			func(*peer) set { return set{raw{stun.AttrXORPeerAddress, []byte{0, 3, 0, 0, 0, 0, 0, 0}}} }, 400},
		{"CreatePermission, an IPv4 family with an IPv6 length", held, stun.MethodCreatePermission,
			func(*peer) set { return set{raw{stun.AttrXORPeerAddress, append([]byte{0, 1}, make([]byte, 18)...)}} }, 400},
		{"CreatePermission for the partner", held, stun.MethodCreatePermission, func(p *peer) set { return set{partner(p)} }, 0},

		{"ChannelBind 0x3FFF", held, stun.MethodChannelBind,
			func(p *peer) set { return set{channelNumber(0x3FFF), partner(p)} }, 400},
		{"ChannelBind 0x4000", held, stun.MethodChannelBind,
			func(p *peer) set { return set{channelNumber(0x4000), partner(p)} }, 0},
		{"ChannelBind 0x7FFF", held, stun.MethodChannelBind,
			func(p *peer) set { return set{channelNumber(0x7FFF), partner(p)} }, 0},
		{"ChannelBind 0x8000", held, stun.MethodChannelBind,
			func(p *peer) set { return set{channelNumber(0x8000), partner(p)} }, 400},
		{"ChannelBind 0xFFFF", held, stun.MethodChannelBind,
			func(p *peer) set { return set{channelNumber(0xFFFF), partner(p)} }, 400},
		{"ChannelBind without a number", held, stun.MethodChannelBind, func(p *peer) set { return set{partner(p)} }, 400},
		{"ChannelBind without a peer", held, stun.MethodChannelBind, func(*peer) set { return set{channelNumber(0x4000)} }, 400},
		{"ChannelBind of a bound peer", held, stun.MethodChannelBind, func(p *peer) set {
			p.ok(stun.MethodChannelBind, channelNumber(0x4000), partner(p))
			return set{channelNumber(0x4001), partner(p)}
		}, 400},
		{"ChannelBind of a bound number", held, stun.MethodChannelBind, func(p *peer) set {
			p.ok(stun.MethodChannelBind, channelNumber(0x4000), partner(p))
			return set{channelNumber(0x4000), xorPeer(p.relayed)}
		}, 400},
		{"ChannelBind again", held, stun.MethodChannelBind, func(p *peer) set {
			p.ok(stun.MethodChannelBind, channelNumber(0x4000), partner(p))
			return set{channelNumber(0x4000), partner(p)}
		}, 0},
	}
	for _, test := range tests {
		for _, transport := range []Transport{UDP, TCP, TLS} {
			t.Run(test.name+"/"+transport.String(), func(t *testing.T) {
				p := test.peer(newLab(t))
				if held := p.allocations[p.tuple]; held == nil {
					p.tuple.Transport = transport
				} else {
					p.Disconnected(p.now, p.tuple)
					p.tuple.Transport = transport
					p.allocate()
				}
				var with set
				if test.with != nil {
					with = test.with(p)
				}
				before := p.Allocations()
				answer := p.request(test.method, with...)
				if got := errorCode(t, answer); got != test.want {
					t.Fatalf("got %d, want %d", got, test.want)
				}
				if err := p.integrity().Check(answer); err != nil {
					t.Errorf("the answer's integrity: %v", err)
				}
				if test.want != 0 && p.Allocations() != before {
					t.Error("a refused request left an allocation")
				}
				if unknown, err := answer.Get(stun.AttrUnknownAttributes); (err == nil) != (test.want == 420) {
					t.Errorf("UNKNOWN-ATTRIBUTES: %x, %v", unknown, err)
				}
			})
		}
	}
}

// TestAuthentication covers requests that fail authentication.
func TestAuthentication(t *testing.T) {
	l := newLab(t)
	alice := l.allocated("198.51.100.1:1000", "x", "doctor")
	mallory := l.peer("198.51.100.1:1000", "y", "doctor") // on Alice's 5-tuple
	mallory.nonce = alice.nonce

	// Every method asks for credentials first, with and without an allocation.
	for _, method := range []stun.Method{stun.MethodAllocate, stun.MethodRefresh,
		stun.MethodCreatePermission, stun.MethodChannelBind} {
		for _, p := range []*peer{alice, l.peer("198.51.100.9:1000", "x", "doctor")} {
			challenge := p.ask(build(t, method, stun.ClassRequest, requestedTransport(protocolUDP),
				lifetime(0)))
			if code := errorCode(t, challenge); code != 401 {
				t.Errorf("%v without credentials: %d, want 401", method, code)
			}
			if text(t, challenge, stun.AttrRealm) != Realm || len(text(t, challenge, stun.AttrNonce)) != 16 {
				t.Errorf("%v: the challenge is %v", method, challenge)
			}
		}
		want := 441
		if method == stun.MethodAllocate {
			want = 437
		}
		if code := mallory.refused(method, requestedTransport(protocolUDP), lifetime(0)); code != want {
			t.Errorf("%v of another user: %d, want %d", method, code, want)
		}
	}
	if !l.Holds(alice.tuple) {
		t.Fatal("another user ended Alice's allocation")
	}

	wrong := *alice
	wrong.credential.Password = "wrong"
	answer := wrong.request(stun.MethodRefresh)
	if code := errorCode(t, answer); code != 401 || len(text(t, answer, stun.AttrNonce)) != 16 {
		t.Errorf("a wrong password: %d, want 401 with a nonce", code)
	}
	for _, username := range []string{"alice", "1:2", "9" + alice.credential.Username, "4102444800:" + id("x") + ".doctor"} {
		p := *alice
		p.credential.Username = username
		if code := p.refused(stun.MethodRefresh); code != 401 {
			t.Errorf("username %q: %d, want 401", username, code)
		}
	}

	// The client's budget for refusals must not affect what follows.
	l.now = l.now.Add(time.Minute)
	// Malformed credentials are a bad request: an attribute is missing, or MESSAGE-INTEGRITY is not 20 bytes.
	signature := alice.signature()
	for missing := range 3 {
		var some []stun.Setter
		for i, s := range signature {
			if i != missing {
				some = append(some, s)
			}
		}
		if code := errorCode(t, alice.ask(build(t, stun.MethodRefresh, stun.ClassRequest, some...))); code != 400 {
			t.Errorf("without the credential's attribute %d: %d, want 400", missing, code)
		}
	}
	short := build(t, stun.MethodRefresh, stun.ClassRequest,
		append(signature[:3:3], raw{stun.AttrMessageIntegrity, make([]byte, 8)})...)
	if code := errorCode(t, alice.ask(short)); code != 400 {
		t.Errorf("a short MESSAGE-INTEGRITY: %d, want 400", code)
	}
	for i, kind := range []stun.AttrType{stun.AttrUsername, stun.AttrRealm, stun.AttrNonce} {
		for fits, size := range map[bool]int{true: []int{508, 763, 763}[i], false: []int{509, 764, 764}[i]} {
			setters := slices.Clone(signature)
			setters[i] = raw{kind, bytes.Repeat([]byte{'a'}, size)}
			if code := errorCode(t, alice.ask(build(t, stun.MethodRefresh, stun.ClassRequest,
				setters...))); (code == 400) == fits {
				t.Errorf("%v of %d bytes: %d", kind, size, code)
			}
		}
	}
	// One changed byte anywhere in a signed request never leads to success.
	good := alice.build(stun.MethodRefresh, lifetime(0))
	for i := range good.Raw {
		l.now = l.now.Add(refusalInterval)
		bad := append([]byte(nil), good.Raw...)
		bad[i] ^= 1
		if _, out := alice.raw(bad); len(out) > 0 && binary.BigEndian.Uint16(out)&0x0110 == 0x0100 {
			t.Fatalf("accepted with byte %d changed", i)
		}
	}
	if !l.Holds(alice.tuple) {
		t.Fatal("a forged request ended Alice's allocation")
	}
}

// TestNothingCountsBehindMessageIntegrity except FINGERPRINT, which must be right.
func TestNothingCountsBehindMessageIntegrity(t *testing.T) {
	l := newLab(t)
	p := l.allocated("198.51.100.1:1000", "x", "doctor")
	partner := l.allocated("198.51.100.2:1000", "x", "patient")

	smuggled := p.build(stun.MethodRefresh)
	smuggled.Add(stun.AttrLifetime, []byte{0, 0, 0, 0})
	if got := lifetimeOf(t, p.ask(smuggled)); got != DefaultLifetime {
		t.Errorf("a LIFETIME behind MESSAGE-INTEGRITY counts: %v", got)
	}
	smuggled = p.build(stun.MethodCreatePermission)
	if err := xorPeer(partner.relayed).AddTo(smuggled); err != nil {
		t.Fatal(err)
	}
	smuggled.WriteHeader()
	if code := errorCode(t, p.ask(smuggled)); code != 400 {
		t.Errorf("a peer behind MESSAGE-INTEGRITY: %d, want 400 as if it were not there", code)
	}
	unknown := p.build(stun.MethodRefresh)
	unknown.Add(0x7FF0, []byte{1, 2, 3, 4})
	if code := errorCode(t, p.ask(unknown)); code != 0 {
		t.Errorf("an unknown attribute behind MESSAGE-INTEGRITY: %d, want success", code)
	}

	printed := p.build(stun.MethodRefresh)
	if err := stun.Fingerprint.AddTo(printed); err != nil {
		t.Fatal(err)
	}
	answer := p.ask(printed)
	if code := errorCode(t, answer); code != 0 {
		t.Fatalf("with FINGERPRINT: %d", code)
	}
	if err := stun.Fingerprint.Check(answer); err != nil {
		t.Errorf("the answer's FINGERPRINT: %v", err)
	}
	printed.Raw[len(printed.Raw)-1] ^= 1
	if answer := p.ask(printed); answer != nil {
		t.Errorf("a wrong FINGERPRINT was answered: %v", answer)
	}
}

// TestOnlySTUNIsAnswered over UDP, where anybody may have sent the packet.
func TestOnlySTUNIsAnswered(t *testing.T) {
	p := newLab(t).peer("198.51.100.1:1000", "x", "doctor")
	good := build(t, stun.MethodBinding, stun.ClassRequest, raw{stun.AttrSoftware, []byte("test")}).Raw
	for i := range good {
		p.dropped(p.raw(good[:i])) // truncated at every byte
	}
	p.dropped(p.raw(append(append([]byte(nil), good...), 0, 0, 0, 0)))
	for name, change := range map[string]func([]byte){
		"cookie":            func(b []byte) { b[4] ^= 1 },
		"length":            func(b []byte) { b[3] += 4 },
		"attribute length":  func(b []byte) { b[23] += 8 },
		"success response":  func(b []byte) { b[0] = 1 },
		"error response":    func(b []byte) { b[0], b[1] = 1, 0x11 },
		"indication":        func(b []byte) { b[1] = 0x11 },
		"unknown method":    func(b []byte) { b[1] = 0x0E },
		"TCP's Connect":     func(b []byte) { b[1] = 0x0A },
		"leading bits":      func(b []byte) { b[0] = 0xC0 },
		"Data indication":   func(b []byte) { b[1] = 0x17 },
		"Send without data": func(b []byte) { b[1] = 0x16 },
	} {
		bad := append([]byte(nil), good...)
		change(bad)
		if _, out := p.raw(bad); len(out) > 0 {
			t.Errorf("%s: answered with %x", name, out)
		}
	}
	p.dropped(p.raw(nil))
	p.dropped(p.raw(build(t, stun.MethodBinding, stun.ClassRequest,
		raw{stun.AttrSoftware, make([]byte, MaxMessage)}).Raw))
	// Nine bytes that make pion's TCP reader spin.
	p.dropped(p.raw([]byte{0x40, 0x00, 0xFF, 0xFC, 0, 0, 0, 0, 0}))
}
