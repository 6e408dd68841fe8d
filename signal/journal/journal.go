// Package journal remembers the events of each appointment, to explain later why a call did not
// come about: only in memory, bounded, and without addresses unless the operator wants them. Its
// contents go with the appointment, and with the process.
package journal

import (
	"container/list"
	"net/netip"
	"slices"
	"sync"
	"time"

	"praxisrelay/signal/appointment"
)

// Bounds for one appointment, and in total, where the appointment that has been quiet longest is
// forgotten. A full journal takes up to 65 MB.
const (
	maxEvents = 200
	maxInAll  = 100_000
)

// Journal remembers events. Any goroutine may use it; it calls nothing but the clock and shown.
type Journal struct {
	now   func() time.Time
	shown func(netip.Addr) string

	mu     sync.Mutex
	pages  map[string]*list.Element // of *page, by appointment
	recent *list.List               // the last one written to is in front
	events int                      // on all pages
}

// page holds the events of one appointment.
type page struct {
	appointment string
	until       time.Time
	events      []Event
	forgotten   int // events that were dropped to make room
}

// New returns an empty Journal. shown returns the part of an address that may be kept; nil:
// nothing.
func New(now func() time.Time, shown func(netip.Addr) string) *Journal {
	if shown == nil {
		shown = func(netip.Addr) string { return "" }
	}
	return &Journal{now: now, shown: shown, pages: map[string]*list.Element{}, recent: list.New()}
}

// Begin starts remembering an appointment, until the given time. Events of others are not kept:
// call it when a client has shown a right code.
func (j *Journal) Begin(id string, until time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.pages[id] == nil {
		j.pages[id] = j.recent.PushFront(&page{appointment: id, until: until})
	}
}

// Note records a current event if its appointment is remembered. A repetition since the seat was
// last joined only raises a count.
func (j *Journal) Note(id string, e Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	found := j.pages[id]
	if found == nil || e.Seat != "" && !slices.Contains(appointment.SeatNames, e.Seat) {
		return
	}
	e.At = j.now()
	if e.Unproven {
		e.Method, e.Address = "", "" // an unproven sender may leave little
	}
	j.recent.MoveToFront(found)
	p := found.Value.(*page)
	if p.repeats(e) {
		return
	}
	if len(p.events) == maxEvents {
		p.events = slices.Delete(p.events, 0, 1)
		p.forgotten++
		j.events--
	}
	p.events = append(p.events, e)
	for j.events++; j.events > maxInAll; {
		j.forget(j.recent.Back())
	}
}

// repeats counts an event that is a repetition since the seat was joined.
func (p *page) repeats(e Event) bool {
	for i := len(p.events) - 1; i >= 0 && e.Kind != Joined; i-- {
		switch before := &p.events[i]; {
		case before.Seat == e.Seat && before.Kind == Joined:
			return false
		case before.alike(e):
			before.Last, before.Times = e.At, max(before.Times, 1)+1
			before.Traffic = Traffic{before.Traffic.Sent.Add(e.Traffic.Sent), before.Traffic.Received.Add(e.Traffic.Received)}
			return true
		}
	}
	return false
}

// alike reports whether events differ only in time and traffic.
func (e Event) alike(other Event) bool {
	e.At, e.Last, e.Times, e.Traffic = other.At, other.Last, other.Times, other.Traffic
	return e == other
}

// Events returns the remembered events in order, and how many earlier ones were forgotten.
func (j *Journal) Events(id string) (events []Event, forgotten int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if found := j.pages[id]; found != nil {
		p := found.Value.(*page)
		return slices.Clone(p.events), p.forgotten
	}
	return nil, 0
}

// Shown returns the part of an address that may be disclosed.
func (j *Journal) Shown(client netip.Addr) string {
	if !client.IsValid() {
		return ""
	}
	return j.shown(client)
}

// Sweep forgets appointments that are over.
func (j *Journal) Sweep(now time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, found := range j.pages {
		if !now.Before(found.Value.(*page).until) {
			j.forget(found)
		}
	}
}

func (j *Journal) forget(found *list.Element) {
	p := found.Value.(*page)
	j.recent.Remove(found)
	delete(j.pages, p.appointment)
	j.events -= len(p.events)
}
