package signal

import (
	"time"

	"praxisrelay/signal/appointment"
	"praxisrelay/signal/explain"
	"praxisrelay/signal/journal"
	"praxisrelay/signal/protocol"
)

// Reasons that end a session without a protocol error.
const (
	hungUp      = "the client has left"
	awayTooLong = "the client was away for too long"
	joinedAnew  = "the client has joined again"
)

// resumeTime is how long a session must have been disconnected before its return is worth
// recording: polls come and go.
const resumeTime = 2 * time.Second

// noteLocked records an event of a session's seat.
func (r *rooms) noteLocked(s *session, e journal.Event) {
	if s.apart {
		return // a check does not count as presence
	}
	e.Seat, e.Over, e.Address = s.seat, string(s.transport), s.address
	r.journal.Note(s.appointment, e)
}

// noteEndLocked records the end of a session.
func (r *rooms) noteEndLocked(s *session) {
	e := journal.Event{Kind: journal.Left, Reason: string(s.over.Code)}
	switch {
	case s.over.Message == joinedAnew:
		return // it goes on
	case s.over.Message == hungUp:
		e.Reason = journal.HungUp
	case s.over.Message == awayTooLong:
		e.Reason = journal.Away
	case s.over.Code == protocol.Replaced:
		e = journal.Event{Kind: journal.Replaced}
	}
	r.noteLocked(s, e)
}

// there returns the current sessions of an appointment.
func (r *rooms) there(appointment string) []journal.Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.thereLocked(appointment)
}

func (r *rooms) thereLocked(id string) []journal.Session {
	list := []journal.Session{}
	for _, name := range appointment.SeatNames {
		in := r.byID[id]
		if in == nil || in.seats[name] == nil {
			continue
		}
		s := in.seats[name]
		over := string(s.transport)
		if s.link == nil {
			over = "away"
		}
		list = append(list, journal.Session{Seat: name, Over: over, Admitted: s.admitted})
	}
	return list
}

// explainLocked answers the doctor why the call does not come about.
func (r *rooms) explainLocked(s *session) {
	if s.seat != appointment.Doctor {
		r.endLocked(s, protocol.BadRequest, "the doctor alone is told what the server knows of both seats")
		return
	}
	explanation := r.explain(r.thereLocked(s.appointment), s.appointment)
	r.deliverLocked(s, protocol.FromServer{Explanation: &explanation})
}

// explainRoom judges an open appointment, for the rooms.
func (s *Server) explainRoom(there []journal.Session, id string) protocol.Explanation {
	events, _ := s.journal.Events(id)
	return explain.Explain(explain.Case{
		Now: s.now(), Events: events, Sessions: there, Allocations: s.relay.Allocations(id),
	}).Told()
}

// Case returns everything known about an appointment, and how many of its events were forgotten.
func (s *Server) Case(a appointment.Appointment) (c explain.Case, forgotten int) {
	events, forgotten := s.journal.Events(a.ID)
	return explain.Case{
		Now: s.now(), Opens: a.Opens, Closes: a.Closes, Revoked: a.Revoked, Test: a.Test,
		Events: events, Sessions: s.rooms.there(a.ID), Allocations: s.relay.Allocations(a.ID),
	}, forgotten
}
