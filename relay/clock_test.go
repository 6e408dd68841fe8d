package relay

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v3"

	"praxisrelay/config"
	"praxisrelay/relay/core"
)

// pair makes two allocations of one appointment, each with a permission and channel 0x4000 for the
// other.
func (l *lab) pair(transport core.Transport, appointment string) (a, b *wire) {
	l.Helper()
	a = l.wire(transport, appointment, "doctor").allocate(lifetime(3600))
	b = l.wire(transport, appointment, "patient").allocate(lifetime(3600))
	a.bind(b)
	b.bind(a)
	return a, b
}

// bind binds channel 0x4000 to another client, or refreshes it.
func (w *wire) bind(to *wire) {
	w.Helper()
	if code := w.code(stun.MethodChannelBind, number(0x4000), peerAddr(to.relayed)); code != 0 {
		w.Fatalf("ChannelBind: %d", code)
	}
}

// passes reports whether ChannelData reaches another client.
func (w *wire) passes(to *wire) bool {
	w.Helper()
	media := channelData(0x4000, "media")
	w.send(media)
	w.quiet() // by its answer the media has been handled
	probe := stun.MustBuild(stun.TransactionID, stun.BindingRequest)
	to.send(probe.Raw)
	got := to.receive()
	if len(got) >= 9 && bytes.HasPrefix(media, got) { // no padding over UDP
		to.receive()
		return true
	}
	if !bytes.Contains(got, probe.TransactionID[:]) {
		w.Fatalf("%x arrived", got)
	}
	return false
}

// TestTimeOnTheWire moves the clock past expiries, over UDP, TCP and TLS.
func TestTimeOnTheWire(t *testing.T) {
	for _, test := range []struct {
		name      string
		strangers int // their rate
		do        func(t *testing.T, l *lab, c *clock, transport core.Transport)
	}{
		{"CreatePermission around an allocation's expiry", 1000, func(t *testing.T, l *lab, c *clock, transport core.Transport) {
			w := l.wire(transport, "a", "doctor")
			for range 5 {
				w.allocate()
				c.step(core.DefaultLifetime - time.Nanosecond)
				if code := w.code(stun.MethodCreatePermission, peerAddr(w.relayed)); code != 0 {
					t.Errorf("at the last moment: %d", code)
				}
				c.step(time.Nanosecond)
				if code := w.code(stun.MethodCreatePermission, peerAddr(w.relayed)); code != 437 {
					t.Errorf("after it: %d, want 437", code)
				}
				if n := l.Allocations(); n != 0 {
					t.Errorf("%d allocations are left", n)
				}
			}
		}},
		{"a credential's expiry counts only at Allocate", 1000, func(t *testing.T, l *lab, c *clock, transport core.Transport) {
			a, b := l.pair(transport, "a")
			c.step(50 * time.Minute)
			for _, w := range []*wire{a, b} {
				if code := w.code(stun.MethodRefresh, lifetime(3600)); code != 0 {
					t.Fatalf("Refresh: %d", code)
				}
			}
			c.step(15 * time.Minute) // the credentials and the nonces have expired
			for _, w := range []*wire{a, b} {
				w.nonce = ""
				w.bind(map[*wire]*wire{a: b, b: a}[w])
				if code := w.code(stun.MethodRefresh); code != 0 {
					t.Errorf("Refresh with an expired credential: %d", code)
				}
			}
			if !a.passes(b) || !b.passes(a) {
				t.Error("the call was cut")
			}
			late := l.wire(transport, "a", "doctor")
			late.credential = a.credential
			if code := late.code(stun.MethodAllocate, udpTransport); code != 401 {
				t.Errorf("Allocate with it: %d, want 401", code)
			}
		}},
		{"a channel's refresh also refreshes its permission", 1000,
			func(t *testing.T, l *lab, c *clock, transport core.Transport) {
				a, b := l.pair(transport, "a")
				c.step(4 * time.Minute)
				a.bind(b)
				b.bind(a)
				c.step(5*time.Minute - time.Nanosecond)
				if !a.passes(b) || !b.passes(a) {
					t.Error("nothing passes within five minutes of a refresh")
				}
				c.step(time.Nanosecond)
				if a.passes(b) || b.passes(a) {
					t.Error("media passes without permission")
				}
				b.bind(a)
				if !a.passes(b) {
					t.Error("nothing passes after another refresh")
				}
			}},
		{"nonces expire after an hour and hold only for their address", 1000,
			func(t *testing.T, l *lab, c *clock, transport core.Transport) {
				w := l.wire(transport, "a", "doctor").allocate(lifetime(3600))
				c.step(30 * time.Minute)
				if code := w.code(stun.MethodRefresh, lifetime(3600)); code != 0 {
					t.Fatalf("Refresh: %d", code)
				}
				thief := l.wireFrom("127.0.0.2", transport, "a", "doctor")
				thief.nonce = w.nonce
				if code := thief.code(stun.MethodAllocate, udpTransport); code != 438 {
					t.Errorf("a nonce of another address: %d, want 438", code)
				}
				c.step(30*time.Minute + time.Second)
				if code := w.code(stun.MethodRefresh); code != 438 {
					t.Errorf("a nonce after an hour: %d, want 438", code)
				}
				w.nonce = ""
				if code := w.code(stun.MethodRefresh); code != 0 {
					t.Errorf("a new nonce: %d", code)
				}
			}},
		{"Allocate is retransmitted for 39 seconds", 1000, func(t *testing.T, l *lab, c *clock, transport core.Transport) {
			w := l.wire(transport, "a", "doctor")
			m := w.build(stun.MethodAllocate, udpTransport)
			first := w.ask(m)
			for _, pause := range []time.Duration{500 * time.Millisecond, time.Second,
				2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 8 * time.Second} {
				c.step(pause)
				before := l.state()
				if again := w.ask(m); !bytes.Equal(again.Raw, first.Raw) {
					t.Fatalf("answered with %v, then with %v", first, again)
				}
				if after := l.state(); !after.equal(before) {
					t.Errorf("it changed the state from %v to %v", before, after)
				}
			}
		}},
		{"the budget for strangers is their network's, and UDP's", 1,
			func(t *testing.T, l *lab, c *clock, transport core.Transport) {
				ask := func(w *wire) { w.ask(stun.MustBuild(stun.TransactionID, stun.BindingRequest)) }
				greedy := l.wire(transport, "a", "doctor")
				other := l.wireFrom("127.0.0.2", transport, "a", "doctor")
				for range 10 { // ten seconds' worth
					ask(greedy)
				}
				if transport != core.UDP { // whose source may be forged
					ask(greedy)
					return
				}
				unanswered := stun.MustBuild(stun.TransactionID, stun.BindingRequest)
				greedy.send(unanswered.Raw)
				ask(other) // after it in the same socket
				c.step(time.Second)
				ask(greedy)
			}},
	} {
		for _, transport := range allTransports {
			t.Run(test.name+", "+transport.String(), func(t *testing.T) {
				c := newClock()
				l := newLabAt(t, loopback, c.now, func(_ *config.Listen, r *config.Relay) {
					r.UnauthenticatedRate = test.strangers
				})
				test.do(t, l, c, transport)
			})
		}
	}
}

// TestLimitsOnTheWire with small numbers, over UDP, TCP and TLS.
func TestLimitsOnTheWire(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*config.Relay)
		do     func(t *testing.T, l *lab, transport core.Transport)
	}{
		{"permissions", func(r *config.Relay) {}, func(t *testing.T, l *lab, transport core.Transport) {
			w := l.wire(transport, "a", "doctor").allocate()
			for i := range 33 {
				want := map[bool]int{true: 0, false: 508}[i < 32]
				if code := w.code(stun.MethodCreatePermission, peerAddr(documentation(i, 5000))); code != want {
					t.Errorf("permission %d: %d, want %d", i+1, code, want)
				}
			}
			if code := w.code(stun.MethodChannelBind, number(0x4000), peerAddr(documentation(32, 5000))); code != 508 {
				t.Errorf("a channel that needs permission 33: %d, want 508", code)
			}
			if code := w.code(stun.MethodChannelBind, number(0x4000), peerAddr(documentation(31, 5000))); code != 0 {
				t.Errorf("a channel that needs none: %d", code)
			}
		}},
		{"channels", func(r *config.Relay) {}, func(t *testing.T, l *lab, transport core.Transport) {
			w := l.wire(transport, "a", "doctor").allocate()
			for i := range 33 {
				want := map[bool]int{true: 0, false: 508}[i < 32]
				if code := w.code(stun.MethodChannelBind, number(uint16(0x4000+i)),
					peerAddr(documentation(0, uint16(5000+i)))); code != want {
					t.Errorf("channel %d: %d, want %d", i+1, code, want)
				}
			}
			if code := w.code(stun.MethodChannelBind, number(0x4000), peerAddr(documentation(0, 5000))); code != 0 {
				t.Errorf("a refresh: %d", code)
			}
		}},
		{"of a seat", func(r *config.Relay) { r.MaxPerSeat = 2 }, quota(486, "doctor", "patient", "a", "")},
		{"of a prefix", func(r *config.Relay) { r.MaxPerPrefix = 2 }, quota(508, "doctor", "doctor", "a", "127.0.0.2")},
		{"of all", func(r *config.Relay) { r.MaxAllocations = 2 }, quota(508, "doctor", "", "", "")},
	} {
		for _, transport := range allTransports {
			t.Run(test.name+", "+transport.String(), func(t *testing.T) {
				test.do(t, newLabWith(t, loopback, inquisitive(func(listen *config.Listen, r *config.Relay) {
					openRelay("203.0.113.0/24")(listen, r)
					test.change(r)
				})), transport)
			})
		}
	}
}

// documentation is an address that nobody holds.
func documentation(i int, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), port)
}

// quota checks a limit of two: only live allocations count, not refused or ended ones. One more for
// the seat gets the code; from another source, or for another seat and appointment, there is room.
func quota(code int, seat, otherSeat, otherAppointment, source string) func(*testing.T, *lab, core.Transport) {
	return func(t *testing.T, l *lab, transport core.Transport) {
		first := l.wire(transport, "a", "doctor").allocate()
		l.wire(transport, "a", "doctor").allocate()
		for range 5 {
			one := l.wire(transport, "a", seat)
			for range 3 {
				if got := one.code(stun.MethodAllocate, udpTransport); got != code {
					t.Errorf("one more: %d, want %d", got, code)
				}
			}
			if code := first.code(stun.MethodRefresh, lifetime(0)); code != 0 {
				t.Fatalf("Refresh: %d", code)
			}
			first = one.allocate()
		}
		if otherSeat != "" {
			l.wireFrom(source, transport, otherAppointment, otherSeat).allocate()
		}
	}
}
