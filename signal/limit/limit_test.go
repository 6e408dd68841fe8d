package limit

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

var day = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

func TestLimiter(t *testing.T) {
	l := NewNetworks()
	client, neighbour := netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("198.51.100.2")
	for i := range GuessBurst {
		if wait := l.Fail(day, client); wait != 0 {
			t.Fatalf("guess %d has to wait %v", i, wait)
		}
	}
	if wait := l.waitLocked(day, client); wait != GuessInterval {
		t.Errorf("after the burst: wait %v, want %v", wait, GuessInterval)
	}
	if wait := l.waitLocked(day, neighbour); wait != 0 {
		t.Errorf("a neighbour waits %v", wait)
	}
	if wait := l.waitLocked(day.Add(-time.Hour), client); wait == 0 {
		t.Error("a clock that goes back forgives")
	}
	if wait := l.waitLocked(day.Add(GuessInterval), client); wait != 0 {
		t.Errorf("after the wait: %v", wait)
	}
	// One customer of a provider has a /64 of IPv6 addresses.
	for i := range GuessBurst {
		l.Fail(day, netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", i)))
	}
	if l.waitLocked(day, netip.MustParseAddr("2001:db8::ffff")) == 0 || l.waitLocked(day, netip.MustParseAddr("2001:db8:0:1::")) != 0 {
		t.Error("IPv6 networks are not told apart by their /64")
	}
}

func TestLimiterInAll(t *testing.T) {
	l := NewNetworks()
	client := netip.MustParseAddr("198.51.100.1")
	for i := range totalBurst {
		from := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		if wait := l.Fail(day, from); wait != 0 {
			t.Fatalf("guess %d has to wait %v", i, wait)
		}
	}
	if wait := l.waitLocked(day, client); wait != totalInterval || !l.spent(day) || l.spent(day.Add(totalInterval)) {
		t.Errorf("a network without a failure waits %v, want %v", wait, totalInterval)
	}
	if wait := l.waitLocked(day.Add(totalInterval), client); wait != 0 {
		t.Errorf("after the wait: %v", wait)
	}
}

func TestLimiterCountsIPv6Sites(t *testing.T) {
	l := NewNetworks()
	for i := range siteBurst {
		l.Fail(day, netip.MustParseAddr(fmt.Sprintf("2001:db8:0:%x::1", i)))
	}
	if l.waitLocked(day, netip.MustParseAddr("2001:db8:0:ffff::1")) == 0 {
		t.Error("a site with many networks is not limited")
	}
	if l.waitLocked(day, netip.MustParseAddr("2001:db8:1::1")) != 0 {
		t.Error("another site is")
	}
}
