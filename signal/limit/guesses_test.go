package limit

import (
	"net/netip"
	"testing"
	"time"

	"praxisrelay/signal/appointment"
)

func TestRightCodesAreRememberedByNetwork(t *testing.T) {
	g := NewGuesses()
	here, beside, elsewhere := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("2001:db8:1::1")
	right, wrong := appointment.Lookup{1}, appointment.Lookup{2}
	g.Judge(day, here, right, true)
	for range GuessBurst {
		g.Fail(day, here)
		g.Fail(day, elsewhere)
	}
	limited := func(at time.Time, client netip.Addr, lookup appointment.Lookup) bool {
		return g.Wait(at, client, lookup) > 0
	}
	if limited(day, here, right) || limited(day, beside, right) || !limited(day, elsewhere, right) ||
		!limited(day, here, wrong) || !limited(day, here, appointment.Lookup{}) {
		t.Error("it remembers another code or network than it was told")
	}
	if g.Judge(day, here, right, false) != 0 || g.Fail(day, here) != GuessInterval {
		t.Error("a code that was right before counts while the network is limited")
	}
	for range 200 {
		limited(day, here, wrong)
	}
	if !limited(day, here, right) {
		t.Error("codes of neighbours can be guessed without end")
	}
	if limited(day.Add(askInterval), here, right) {
		t.Error("it does not forgive")
	}
}

// TestNoNetworkPaysForOthers: thousands of networks send as many wrong codes as they can without
// reaching the global limit. An hour later no uninvolved network is limited, none has been
// forgotten, and little memory is used.
func TestNoNetworkPaysForOthers(t *testing.T) {
	g := NewGuesses()
	address := func(net byte, i int) netip.Addr {
		return netip.AddrFrom4([4]byte{net, byte(i >> 16), byte(i >> 8), byte(i)})
	}
	right := appointment.Lookup{1}
	for i := range 10_000 {
		g.Judge(day, address(11, i), right, true)
	}
	const perSecond = 97
	now, most := day, 0
	for i := range 3600 * perSecond {
		now = day.Add(time.Duration(i) * time.Second / perSecond)
		attacker := address(10, i%2400)
		g.Judge(now, attacker, appointment.Lookup{2}, false)
		g.Wait(now, attacker, appointment.Lookup{3}) // limited networks ask for neighbors' codes
		most = max(most, len(g.networks.buckets))
	}
	limited, forgotten := 0, 0
	for i := range 10_000 {
		if g.Wait(now, address(12, i), right) > 0 {
			limited++
		}
		if g.known.get(g.print(address(11, i), right)) == nil || g.asked.get(g.print(address(11, i), appointment.Lookup{})).Wait(now, askInterval, askBurst) > 0 {
			forgotten++
		}
	}
	if limited > 0 || forgotten > 0 {
		t.Errorf("of 10,000 uninvolved networks %d are limited, and of as many known ones %d forgotten", limited, forgotten)
	}
	if most != 2400 {
		t.Errorf("%d networks are kept, of 2400 that were wrong", most)
	}
}

// TestWhatIsKeptIsBounded by the global limit, even if every wrong code comes from a different
// network.
func TestWhatIsKeptIsBounded(t *testing.T) {
	g := NewGuesses()
	const kept = totalBurst + int(2*GuessInterval/totalInterval) // one failure is forgiven after an interval, and forgotten within another
	for i := range 5 * kept {
		now := day.Add(time.Duration(i) * totalInterval)
		client := netip.AddrFrom16([16]byte{0x20, 1, 0, byte(i >> 16), byte(i >> 8), byte(i)}) // one per site
		g.Judge(now, client, appointment.Lookup{1}, false)
		g.Judge(now, client, appointment.Lookup{2}, false)
		if n := max(len(g.networks.buckets), len(g.sites.buckets)); n > kept {
			t.Fatalf("%d are kept after %v", n, now.Sub(day))
		}
	}
	for i := range 2 * maxKnown {
		g.known.add(uint64(i))
	}
	if n := len(g.known.values); n != maxKnown || g.known.get(maxKnown-1) != nil || g.known.get(maxKnown) == nil {
		t.Errorf("%d codes are remembered, or not the last ones", n)
	}
}
