package relay

import (
	"testing"
)

// TestMediaIsCountedAsItPasses, by transport and direction, and nothing else is counted.
func TestMediaIsCountedAsItPasses(t *testing.T) {
	for _, transport := range allTransports {
		t.Run(transport.String(), func(t *testing.T) {
			l := newLab(t, loopback)
			a, b := l.pair(transport, "a")
			if got := l.traffic.total(); got != (tally{}) {
				t.Fatalf("requests and answers are counted as media: %v", got)
			}
			const times = 3
			for range times {
				if !a.passes(b) {
					t.Fatal("nothing passes")
				}
			}
			var want tally
			// A header and "media", padded by its sender.
			want.received[transport], want.sent[transport] = flow{times, times * 12}, flow{times, times * 9}
			if got := l.traffic.total(); got != want {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
}
