package core

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/pion/stun/v3"
)

// BenchmarkForward is what the core adds to the receiving and sending of a packet,
// alone and among many other allocations.
func BenchmarkForward(b *testing.B) {
	for _, pairs := range []int{1, 1000} {
		b.Run(fmt.Sprintf("%d-calls", pairs), func(b *testing.B) {
			l := newLab(b)
			l.config.MaxAllocations = 2 * pairs
			var doctor *peer
			for i := range pairs {
				name := fmt.Sprint(i)
				doctor = l.allocated(fmt.Sprintf("198.51.100.1:%d", 1+i), name, "doctor")
				patient := l.allocated(fmt.Sprintf("198.51.100.2:%d", 1+i), name, "patient")
				doctor.bind(0x4000, patient.relayed)
				patient.bind(0x4001, doctor.relayed)
			}
			in := append([]byte{0x40, 0x00, 0x04, 0x4C}, make([]byte, 1100)...)
			buf := make([]byte, MaxOutput)
			b.ReportAllocs()
			for b.Loop() {
				binary.BigEndian.PutUint16(in, 0x4000)
				if _, out := l.Forward(l.now, doctor.tuple, in, buf); len(out) == 0 {
					b.Fatal("not forwarded")
				}
			}
		})
	}
}

// BenchmarkRefresh is an authenticated request.
func BenchmarkRefresh(b *testing.B) {
	l := newLab(b)
	p := l.allocated("198.51.100.1:1000", "x", "doctor")
	request := p.build(stun.MethodRefresh).Raw
	in := make([]byte, len(request))
	b.ReportAllocs()
	for b.Loop() {
		copy(in, request)
		if _, out := l.Handle(l.now, p.tuple, in, p.buf); len(out) == 0 {
			b.Fatal("not answered")
		}
	}
}
