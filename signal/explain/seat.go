package explain

import (
	"slices"
	"time"

	"praxisrelay/signal/journal"
)

// seat summarizes the events of one seat since it was last joined.
type seat struct {
	name    string
	session *journal.Session // nil: the seat is empty
	live    []journal.Allocation

	joined     time.Time // zero: never
	notJoined  journal.Event
	replaced   time.Time // when another device took over; also before joined
	left       journal.Event
	reissued   time.Time
	credential time.Time
	allocated  time.Time // the latest
	refused    []journal.Event
	permitted  bool
	ended      journal.Event // of the last allocation that ended
	sent       journal.Flow  // in total
	received   journal.Flow
}

func newSeat(c Case, name string) *seat {
	s := &seat{name: name}
	for _, e := range c.Events {
		if e.Seat == name {
			s.take(e)
		}
	}
	for _, session := range c.Sessions {
		if session.Seat == name {
			s.session = &session
		}
	}
	for _, a := range c.Allocations {
		if a.Seat == name {
			s.live = append(s.live, a)
			s.permitted = s.permitted || a.Permitted
			s.allocated = later(s.allocated, a.Since)
			s.sent = s.sent.Add(a.Traffic.Sent)
			s.received = s.received.Add(a.Traffic.Received)
		}
	}
	return s
}

func (s *seat) take(e journal.Event) {
	switch e.Kind {
	case journal.Joined:
		*s = seat{name: s.name, joined: e.At, replaced: s.replaced}
	case journal.NotJoined:
		s.notJoined = e
	case journal.Replaced:
		s.replaced = e.Latest()
	case journal.Left:
		s.left = e
	case journal.Reissued:
		s.reissued = e.Latest()
	case journal.Credential:
		s.credential = e.Latest()
	case journal.Allocated:
		s.allocated = e.Latest()
	case journal.Permitted:
		s.permitted = true
	case journal.Refused:
		// A 403 explains nothing: browsers ask for each of their partner's addresses, and only the
		// relay's is served.
		if e.Code != 403 {
			s.refused = append(s.refused, e)
		}
	case journal.Ended:
		s.ended = e
		s.sent = s.sent.Add(e.Traffic.Sent)
		s.received = s.received.Add(e.Traffic.Received)
	}
}

// refusal returns the last refusal of these methods after a time, preferring proven ones: anybody
// could have caused the others.
func (s *seat) refusal(after time.Time, methods ...string) (found journal.Event) {
	for _, e := range s.refused {
		if !slices.Contains(methods, e.Method) && !e.Unproven || e.Latest().Before(after) {
			continue
		}
		switch {
		case found.Unproven != e.Unproven && found.Kind != "":
			if found.Unproven {
				found = e
			}
		case !e.Latest().Before(found.Latest()):
			found = e
		}
	}
	return found
}

// pair is both seats.
type pair struct{ patient, doctor *seat }

func (p pair) each() []*seat { return []*seat{p.patient, p.doctor} }

func (p pair) other(s *seat) *seat {
	if s == p.patient {
		return p.doctor
	}
	return p.patient
}

// ready returns the time from which both could make allocations: the patient gets a credential when
// the doctor lets them in.
func (p pair) ready() time.Time {
	return later(later(p.patient.joined, p.patient.credential), later(p.doctor.joined, p.doctor.credential))
}

// held reports whether there was a call: media in both directions.
func (p pair) held() bool {
	return p.patient.sends() && p.doctor.sends() || p.patient.talks() || p.doctor.talks()
}

// sends reports whether media came from the seat.
func (s *seat) sends() bool { return s.sent.Media > 0 }

// talks reports whether media went both ways between the seat and a peer of the open relay.
func (s *seat) talks() bool { return s.sends() && s.received.Media > 0 }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
