package signal

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func TestLimiter(t *testing.T) {
	l := newLimiter()
	client, neighbour := netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("198.51.100.2")
	for i := range guessBurst {
		if wait := l.wait(day, client); wait != 0 {
			t.Fatalf("guess %d has to wait %v", i, wait)
		}
		l.fail(day, client)
	}
	if wait := l.wait(day, client); wait != guessInterval {
		t.Errorf("after the burst: wait %v, want %v", wait, guessInterval)
	}
	if wait := l.wait(day, neighbour); wait != 0 {
		t.Errorf("a neighbour waits %v", wait)
	}
	if wait := l.wait(day.Add(-time.Hour), client); wait == 0 {
		t.Error("a clock that goes back forgives")
	}
	if wait := l.wait(day.Add(guessInterval), client); wait != 0 {
		t.Errorf("after the wait: %v", wait)
	}
	// One customer of a provider has a /64 of IPv6 addresses.
	for i := range guessBurst {
		l.fail(day, netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", i)))
	}
	if l.wait(day, netip.MustParseAddr("2001:db8::ffff")) == 0 || l.wait(day, netip.MustParseAddr("2001:db8:0:1::")) != 0 {
		t.Error("IPv6 networks are not told apart by their /64")
	}
}
