package shares

import (
	"fmt"
	"net/netip"
	"testing"
)

// TestAnIPv6SiteLeavesRoom: all networks of one /48, or of a /56 in it, together get no more than
// is free for others, and no trace is left once all is released.
func TestAnIPv6SiteLeavesRoom(t *testing.T) {
	s := New(20_000, 6_000)
	var releases []func()
	fill := func(networks string, each int) (got int) {
		for i := range 64 {
			client := netip.MustParseAddr(fmt.Sprintf(networks, i))
			for range each {
				if release, ok := s.Admit(client); ok {
					releases = append(releases, release, release) // the second has no effect
					got++
				}
			}
		}
		return got
	}
	for _, step := range []struct {
		networks   string
		each, want int
	}{
		{"2001:db8:1:%x::1", 1000, 10_000},
		{"2001:db8:2:%x::1", 1000, 5_000}, // another site
		{"2001:db8:3::%x", 1000, 2_500},   // one /64
		{"198.51.100.%d", 10, 640},        // IPv4 addresses are each their own
	} {
		if got := fill(step.networks, step.each); got != step.want {
			t.Errorf("networks like %s get %d, want %d", step.networks, got, step.want)
		}
	}
	if refused := s.Refused(); refused.Network == 0 || refused.All == 0 ||
		refused.Last != netip.MustParseAddr("2001:db8:3::3f") {
		t.Errorf("refused: %+v", refused)
	}
	for _, release := range releases {
		release()
	}
	if open, max := s.Use(); open != 0 || max != 20_000 || len(s.held) != 0 {
		t.Errorf("left behind: %d open, %v", open, s.held)
	}
}

// TestASiteHasTenNetworks' worth, if there is enough for all.
func TestASiteHasTenNetworks(t *testing.T) {
	s := New(1000, 8)
	got := 0
	for i := range 200 {
		if _, ok := s.Admit(netip.MustParseAddr(fmt.Sprintf("2001:db8:1:%x::1", i))); ok {
			got++
		}
	}
	if got != 80 {
		t.Errorf("a site gets %d, want 80", got)
	}
}

// TestSomeNetworksDoNotKeepTheOthersOut: clients that open as many connections or handshakes as
// they can leave room for others.
func TestSomeNetworksDoNotKeepTheOthersOut(t *testing.T) {
	c := New(1000, 250)
	for greedy := range 8 {
		for range 1000 {
			c.Admit(netip.AddrFrom4([4]byte{10, 0, 0, byte(greedy)}))
		}
	}
	for innocent := range 3 {
		if _, ok := c.Admit(netip.AddrFrom4([4]byte{192, 0, 2, byte(innocent)})); !ok {
			t.Errorf("network %d is kept out by eight others: %d of %d are open", innocent, c.open, c.max)
		}
	}
	if c.open < 900 {
		t.Errorf("only %d of %d may be open", c.open, c.max)
	}
}
