package journal

import (
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"
)

var day = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

// lab is a journal on a clock that every event advances by a second.
func lab(shown func(netip.Addr) string) *Journal {
	now := day
	return New(func() time.Time { now = now.Add(time.Second); return now }, shown)
}

// kinds summarizes an appointment's events, with counts.
func (j *Journal) kinds(id string) (kinds []string) {
	events, _ := j.Events(id)
	for _, e := range events {
		kinds = append(kinds, fmt.Sprint(e.Seat, " ", e.Kind, " ", max(e.Times, 1)))
	}
	return kinds
}

// TestRepeatedEventsAreCounted, in the place of the first one since the seat was joined.
func TestRepeatedEventsAreCounted(t *testing.T) {
	j := lab(nil)
	j.Begin("a", day.Add(time.Hour))
	note := func(seat string, kind Kind) { j.Note("a", Event{Seat: seat, Kind: kind, Over: "udp"}) }
	note("patient", Joined)
	note("doctor", Joined)
	note("patient", Allocated)
	note("doctor", Allocated)
	note("patient", Allocated)
	note("doctor", Joined)
	note("patient", Allocated)
	note("doctor", Allocated)
	j.Note("a", Event{Seat: "patient", Kind: Allocated, Over: "tcp"})
	want := []string{"patient joined 1", "doctor joined 1", "patient allocated 3", "doctor allocated 1", "doctor joined 1", "doctor allocated 1", "patient allocated 1"}
	if got := j.kinds("a"); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	events, _ := j.Events("a")
	if e := events[2]; !e.At.Equal(day.Add(3*time.Second)) || !e.Last.Equal(day.Add(7*time.Second)) || !e.Latest().Equal(e.Last) {
		t.Errorf("%+v", e)
	}

	for i := range 3 {
		j.Note("a", Event{Seat: "patient", Kind: Ended, Traffic: Traffic{Sent: Flow{
			Media: 10, FirstMedia: day.Add(time.Duration(-i) * time.Second), LastMedia: day.Add(time.Duration(i) * time.Second)}}})
	}
	events, _ = j.Events("a")
	if f := events[len(events)-1].Traffic.Sent; f.Media != 30 || !f.FirstMedia.Equal(day.Add(-2*time.Second)) || !f.LastMedia.Equal(day.Add(2*time.Second)) {
		t.Errorf("together they sent %+v", f)
	}
}

// TestStrangersWriteLittle: nothing to unopened appointments or for seats that do not exist, and
// only a few lines to others, whatever they vary.
func TestStrangersWriteLittle(t *testing.T) {
	j := lab(func(a netip.Addr) string { return a.String() })
	j.Begin("a", day.Add(time.Hour))
	for i := range 1000 {
		address := netip.AddrFrom4([4]byte{198, 51, 100, byte(i)})
		for _, seat := range []string{"patient", "doctor", fmt.Sprint("seat", i)} {
			for _, id := range []string{"a", fmt.Sprint("b", i)} {
				j.Note(id, Event{
					Seat: seat, Kind: Refused, Over: []string{"udp", "tcp", "tls"}[i%3], Method: fmt.Sprint(i), Code: 401 + 37*(i%2),
					Unproven: true, Address: j.Shown(address),
				})
			}
		}
	}
	events, forgotten := j.Events("a")
	if len(events) != 12 || forgotten != 0 || events[0].Address != "" || len(j.pages) != 1 {
		t.Errorf("%d events, %d forgotten, of %d appointments: %+v", len(events), forgotten, len(j.pages), events[0])
	}
}

// TestJournalIsBounded, per appointment and in total, and swept.
func TestJournalIsBounded(t *testing.T) {
	j := lab(nil)
	j.Begin("a", day.Add(48*time.Hour))
	for range maxEvents + 10 {
		j.Note("a", Event{Seat: "patient", Kind: Joined})
	}
	if events, forgotten := j.Events("a"); len(events) != maxEvents || forgotten != 10 || !events[0].At.Equal(day.Add(11*time.Second)) {
		t.Errorf("%d events, %d forgotten", len(events), forgotten)
	}

	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range maxInAll {
		id := fmt.Sprint("b", i/100)
		j.Begin(id, day.Add(time.Duration(i)*time.Second))
		j.Note(id, Event{Seat: "patient", Kind: Joined, Over: "socket"})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	t.Logf("%d events take %d MB", j.events, (after.HeapAlloc-before.HeapAlloc)>>20)
	if _, there := j.pages["a"]; there || j.events > maxInAll {
		t.Errorf("%d events, and the quietest appointment is there: %v", j.events, there)
	}
	j.Sweep(day.Add(maxInAll / 2 * time.Second))
	if events, _ := j.Events("b0"); events != nil || len(j.pages) != j.recent.Len() || j.events != 100*len(j.pages) || j.events == 0 {
		t.Errorf("after the sweep: %d events of %d appointments", j.events, len(j.pages))
	}
	j.Sweep(day.Add(maxInAll * time.Second))
	if j.events != 0 || len(j.pages) != 0 || j.recent.Len() != 0 {
		t.Errorf("at the end: %d events of %d appointments", j.events, len(j.pages))
	}
}

// TestAddressesAreKeptWhereTheyMayBe, and nowhere else.
func TestAddressesAreKeptWhereTheyMayBe(t *testing.T) {
	client := netip.MustParseAddr("198.51.100.1")
	if got := lab(nil).Shown(client); got != "" {
		t.Errorf("without a word, %q is kept", got)
	}
	if got := lab(func(netip.Addr) string { return "net" }); got.Shown(client) != "net" || got.Shown(netip.Addr{}) != "" {
		t.Errorf("%q and %q", got.Shown(client), got.Shown(netip.Addr{}))
	}
}
