package core

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pion/stun/v3"

	"praxisrelay/config"
)

// TestAClinicComesInAtTheFullHour: 500 seats behind one address make two allocations each, all at
// the same moment, with the default limits. Over UDP a client repeats unanswered requests as RFC
// 8489, section 6.2.1, prescribes and gives up after 39.5 seconds.
func TestAClinicComesInAtTheFullHour(t *testing.T) {
	const (
		seats     = 500
		roundTrip = 50 * time.Millisecond
		limit     = 10 * time.Second // for the last of them
	)
	defaults := config.Default().Relay
	l := newLab(t)
	l.config.Limits = Limits{
		PerSeat:   defaults.MaxPerSeat,
		PerPrefix: defaults.MaxPerPrefix,
		Total:     defaults.MaxAllocations, Unauthenticated: defaults.UnauthenticatedRate,
	}
	type client struct {
		*peer
		next time.Time     // time of its next request
		wait time.Duration // how long it then waits for an answer
	}
	var waiting []*client
	for i := range 2 * seats {
		p := l.peer(fmt.Sprintf("198.51.100.1:%d", 10_000+i), fmt.Sprint(i/4),
			[]string{"doctor", "patient"}[i/2%2])
		waiting = append(waiting, &client{p, start, 500 * time.Millisecond})
	}
	silent := 0
	for len(waiting) > 0 {
		l.now = l.now.Add(roundTrip)
		if after := l.now.Sub(start); after > limit {
			t.Fatalf("%d allocations of %d after %v", l.Allocations(), 2*seats, after)
		}
		waiting = slices.DeleteFunc(waiting, func(c *client) bool {
			if l.now.Before(c.next) {
				return false
			}
			if c.nonce != "" {
				c.allocate()
				return true
			}
			challenge := c.ask(build(t, stun.MethodAllocate, stun.ClassRequest,
				requestedTransport(protocolUDP)))
			if challenge == nil {
				silent++
				c.next, c.wait = l.now.Add(c.wait), 2*c.wait
				return false
			}
			if code := errorCode(t, challenge); code != 401 {
				t.Fatalf("an Allocate without credentials: %d, want 401", code)
			}
			c.nonce, c.next = text(t, challenge, stun.AttrNonce), l.now.Add(roundTrip)
			return false
		})
	}
	t.Logf("%d allocations after %v, with %d requests that were not answered", l.Allocations(),
		l.now.Sub(start), silent)
	if silent == 0 {
		t.Error("the budget for answers without credentials never mattered")
	}
}
