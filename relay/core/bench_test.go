package core

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"github.com/pion/stun/v3"

	"praxisrelay/relay/credential"
)

// BenchmarkForward measures what the core adds to receiving and sending a packet, with ten
// allocations and with a hundred thousand, of which ten or all talk, and the memory of each. When
// all talk, the tables exceed every processor cache.
func BenchmarkForward(b *testing.B) {
	for _, c := range []struct{ pairs, talking int }{{5, 5}, {50_000, 5}, {50_000, 50_000}} {
		pairs := c.pairs
		b.Run(fmt.Sprintf("%d-allocations-%d-talk", 2*pairs, 2*c.talking), func(b *testing.B) {
			before := heapBytes()
			l := newLab(b)
			l.limit(func(limits *Limits) {
				limits.Total, limits.PerPrefix, limits.Unauthenticated = 2*pairs, 2*pairs, 1e9
				limits.AllocationRate, limits.TotalRate = 1<<40, 1<<40
			})
			var doctors []*peer
			for i := range pairs {
				name := fmt.Sprint(i)
				doctor := l.allocated(fmt.Sprintf("198.51.100.1:%d", 1+i), name, "doctor")
				patient := l.allocated(fmt.Sprintf("198.51.100.2:%d", 1+i), name, "patient")
				doctor.bind(0x4000, patient.relayed)
				patient.bind(0x4001, doctor.relayed)
				doctors = append(doctors, doctor)
			}
			in := append([]byte{0x40, 0x00, 0x04, 0x4C}, make([]byte, 1100)...)
			buf := make([]byte, MaxOutput)
			// Less the test's own memory.
			held := heapBytes() - before - uint64(pairs)*uint64(unsafe.Sizeof(peer{})+200)
			// Every packet belongs to another call, in an order that no cache predicts.
			order := make([]FiveTuple, 1<<17)
			for i := range order {
				order[i] = doctors[rand.IntN(c.talking)*(pairs/c.talking)].tuple
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				binary.BigEndian.PutUint16(in, 0x4000)
				if _, out := l.Forward(l.now, order[i%len(order)], in, buf); len(out) == 0 {
					b.Fatal("not forwarded")
				}
				i++
			}
			b.ReportMetric(float64(held)/float64(2*pairs), "B/allocation")
		})
	}
}

func heapBytes() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkRefresh measures an authenticated request.
func BenchmarkRefresh(b *testing.B) {
	l := newLab(b)
	p := l.allocated("198.51.100.1:1000", "x", "doctor")
	request := p.build(stun.MethodRefresh).Raw
	l.config.Limits.Unauthenticated = 1e9
	in := make([]byte, len(request))
	b.ReportAllocs()
	for b.Loop() {
		copy(in, request)
		l.now = l.now.Add(time.Second / requestRate)
		if l.now.Sub(start) > 30*time.Minute {
			l.now = start // within the life of a nonce
			clear(l.requests.buckets[:])
		}
		if _, out := l.Handle(l.now, p.tuple, in, p.buf); len(out) == 0 {
			b.Fatal("not answered")
		}
	}
}

// BenchmarkForged measures a request whose username was made up or overheard.
func BenchmarkForged(b *testing.B) {
	for name, username := range map[string]func(*peer) string{
		"another form": func(*peer) string { return "1900000000:aaaaaaaaaaaaa.doctor" },
		"the form":     func(*peer) string { return "1900000000:AAAAAAAAAAAAAAAAAAAAAA" },
		"overheard":    func(p *peer) string { return p.credential.Username },
	} {
		b.Run(name, func(b *testing.B) {
			l := newLab(b)
			p := l.peer("198.51.100.1:1000", "x", "doctor")
			p.credential.Username, p.credential.Password = username(p), "guessed"
			request := p.build(stun.MethodAllocate, requestedTransport(protocolUDP)).Raw
			l.config.Limits.Unauthenticated = 1e9
			in := make([]byte, len(request))
			b.ReportAllocs()
			for b.Loop() {
				copy(in, request)
				l.now = l.now.Add(time.Second / requestRate)
				if l.now.Sub(start) > 30*time.Minute {
					l.now = start
					clear(l.requests.buckets[:])
				}
				if _, out := l.Handle(l.now, p.tuple, in, p.buf); len(out) == 0 {
					b.Fatal("not answered")
				}
			}
		})
	}
}

// BenchmarkHeld measures what an explanation costs under the relay's lock: alone, and among ten
// thousand allocations of others. In the open relay all share one space.
func BenchmarkHeld(b *testing.B) {
	const each = 4 // allocations of a seat
	for _, others := range []int{0, 10_000} {
		b.Run(fmt.Sprintf("%d-others", others), func(b *testing.B) {
			keys, err := credential.NewKeyring([]byte("the secret of all tests"))
			if err != nil {
				b.Fatal(err)
			}
			l := newLabWith(b, Config{RelayedIPv4: relayed, Open: &Open{
				FirstPort: 20000, LastPort: 60000, Bind: func(netip.AddrPort) error { return nil },
				Release: func(netip.AddrPort) {},
				Permits: func(netip.Addr) bool { return true },
			}}, keys)
			l.limit(func(limits *Limits) {
				limits.Total, limits.PerPrefix, limits.Unauthenticated = others+2*each, others+2*each, 1e9
				limits.PerSeat = each
			})
			for i := range others {
				l.allocated(fmt.Sprintf("198.51.100.1:%d", 1+i), fmt.Sprint(i), "doctor")
			}
			for i := range each {
				for _, seat := range []string{"doctor", "patient"} {
					p := l.allocated(fmt.Sprintf("198.51.100.%d:%d", 2+len(seat), 1+i), "x", seat)
					for n := range 20 {
						p.permit(netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(n)}), 5000))
					}
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				if len(l.Held(l.now, id("x"))) != 2*each {
					b.Fatal("some are missing")
				}
			}
		})
	}
}
