package signal

import (
	"encoding/json"
	"slices"
	"sync"
	"time"

	"praxisrelay/signal/appointment"
	"praxisrelay/signal/journal"
	"praxisrelay/signal/limit"
	"praxisrelay/signal/protocol"
)

// rooms is the live signaling state: who is present, nothing else. It may be lost at any time;
// returning clients rebuild it.
type rooms struct {
	// ice makes the credential of a seat that is admitted.
	ice func(Holder) (protocol.ICE, error)
	// explain judges why a room's call does not come about; it is called under mu.
	explain func(in []journal.Session, appointment string) protocol.Explanation
	metrics *metrics
	journal *journal.Journal

	mu       sync.Mutex
	waiting  bool                // patients wait until the doctor lets them in
	byID     map[string]*room    // appointment -> room, while somebody is in it
	sessions map[string]*session // token -> session
}

// room holds the sessions of one appointment, one per seat.
type room struct {
	seats map[string]*session
	// checks are the sessions without a seat, by the seat of their code; the oldest first.
	checks map[string][]*session
	// replaced lists the epochs that lost their seat to another: when they return they hear so
	// again, and do not take the seat back.
	replaced []string
	joins    map[string]*limit.Bucket // seat -> its recent joins
	empty    time.Time                // when it became empty; zero: it is not
}

const (
	// maxReplaced bounds the list replaced.
	maxReplaced = 64
	// maxChecks is the maximum number of simultaneous checks with a seat's code: praxisrelay check makes three.
	maxChecks = 8
)

// Limits on taking a seat, so that the holder of its code cannot flood the partner with arrivals.
const (
	joinInterval = time.Second
	joinBurst    = 10
)

func newRooms(
	waiting bool, ice func(Holder) (protocol.ICE, error),
	explain func([]journal.Session, string) protocol.Explanation, m *metrics, j *journal.Journal,
) *rooms {
	return &rooms{ice: ice, explain: explain, waiting: waiting, metrics: m, journal: j, byID: map[string]*room{}, sessions: map[string]*session{}}
}

// join seats a session, welcomes it and notifies the others. It replaces an older session of the
// seat; the same client keeps its admission.
//
// refused reports whether the code no longer opens the seat. Revoking a code ends the seat's
// session, and then the credentials made so far: a join in between would get a later credential.
// The same holds for the beginning of maintenance.
func (r *rooms) join(now time.Time, s *session, welcome protocol.Welcome, refused func() *protocol.Error) (*link, *protocol.Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if failure := refused(); failure != nil {
		return nil, failure
	}
	in := r.byID[s.appointment]
	if in == nil {
		in = &room{seats: map[string]*session{}, checks: map[string][]*session{}, joins: map[string]*limit.Bucket{}}
		r.byID[s.appointment] = in
	}
	joins := in.joins[s.seat]
	if joins == nil {
		joins = new(limit.Bucket)
		in.joins[s.seat] = joins
	}
	if wait := joins.Wait(now, joinInterval, joinBurst); wait > 0 {
		r.metrics.hit(limitJoins)
		return nil, &protocol.Error{Code: protocol.TooOften, Message: "the seat was taken too often", RetryAfter: int(wait/time.Second) + 1}
	}
	joins.Add(now, joinInterval)
	if slices.Contains(in.replaced, s.epoch) {
		return nil, &protocol.Error{Code: protocol.Replaced, Message: "this code was used to join from elsewhere"}
	}
	s.admitted = !r.waiting || s.seat == appointment.Doctor || s.seat == appointment.Test
	if s.apart {
		if checks := in.checks[s.seat]; len(checks) >= maxChecks {
			r.endWithLocked(checks[0], &protocol.Error{Code: protocol.TooOften, Message: "the seat has newer checks", RetryAfter: 1})
		}
		in.checks[s.seat] = append(in.checks[s.seat], s)
		in.empty = time.Time{}
		r.sessions[s.token] = s
		l := s.attachLocked(0)
		welcome.Session, welcome.Present = s.token, []protocol.Present{}
		r.deliverLocked(s, protocol.FromServer{Welcome: &welcome})
		if s.admitted {
			r.deliverICELocked(s)
		}
		return l, s.over
	}
	if old := in.seats[s.seat]; old != nil {
		delete(in.seats, s.seat) // not reported as left: somebody joins
		if old.epoch == s.epoch {
			s.admitted = s.admitted || old.admitted
			r.endLocked(old, protocol.UnknownSession, joinedAnew)
		} else {
			in.replaced = append(in.replaced, old.epoch)
			if len(in.replaced) > maxReplaced {
				in.replaced = slices.Delete(in.replaced, 0, 1)
			}
			r.endLocked(old, protocol.Replaced, "this code was used to join from elsewhere")
		}
	}
	in.seats[s.seat], in.empty = s, time.Time{}
	r.sessions[s.token] = s
	l := s.attachLocked(0)
	r.noteLocked(s, journal.Event{Kind: journal.Joined})

	welcome.Session = s.token
	welcome.Present = []protocol.Present{}
	for _, other := range in.others(s) {
		welcome.Present = append(welcome.Present, other.present())
	}
	r.deliverLocked(s, protocol.FromServer{Welcome: &welcome})
	if s.admitted {
		r.deliverICELocked(s)
	}
	if s.over == nil {
		r.tellLocked(in, s, protocol.FromServer{Joined: new(s.present())})
	}
	return l, s.over
}

// resume returns a client to its session. A request overtaken by a later one gets no link.
func (r *rooms) resume(now time.Time, over transport, resume protocol.Resume) (*session, *link, *protocol.Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sessions[resume.Session]
	if s == nil || !s.forgetLocked(resume.Received) {
		return nil, nil, &protocol.Error{Code: protocol.UnknownSession, Message: "there is nothing to resume: join with the same epoch"}
	}
	if s.pace.Take(now, frameInterval, frameBurst, 1) > 0 {
		r.metrics.hit(limitFrames)
		r.endLocked(s, protocol.TooFast, "the session was resumed too often")
		return s, nil, s.over
	}
	if resume.Received < s.forgottenLocked() {
		return s, nil, nil
	}
	if !s.repeatsLocked(now, resume.Received) {
		r.metrics.hit(limitQueue)
		r.endLocked(s, protocol.TooSlow, notTaken)
		return s, nil, s.over
	}
	if s.transport != over || s.link == nil && now.Sub(s.away) >= resumeTime {
		s.transport = over
		r.noteLocked(s, journal.Event{Kind: journal.Resumed})
	}
	return s, s.attachLocked(resume.Received), nil
}

// going records that the client's window is closing, and its connection with it.
func (r *rooms) going(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.going = true
}

// detach records that a connection is gone.
func (r *rooms) detach(now time.Time, s *session, l *link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l != nil && s.link == l {
		s.link, s.away = nil, now
		if s.going {
			s.away = now.Add(goneTime - awayTime)
		}
		if s.transport == overSocket && s.over == nil {
			r.noteLocked(s, journal.Event{Kind: journal.Lost})
		}
	}
}

// sweep ends the sessions whose clients have been away for too long or whose appointment is long
// over, and forgets rooms to which nobody has returned.
func (r *rooms) sweep(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.sessions {
		switch {
		case !now.Before(s.holder.Until):
			r.endLocked(s, protocol.Over, "the appointment is over")
		case s.link == nil && now.Sub(s.away) >= awayTime:
			r.endLocked(s, protocol.UnknownSession, awayTooLong)
		}
	}
	for id, in := range r.byID {
		switch {
		case len(in.seats) > 0 || len(in.checks) > 0:
		case in.empty.IsZero():
			in.empty = now
		case now.Sub(in.empty) >= awayTime:
			delete(r.byID, id)
		}
	}
}

// received returns the number of the last frame received from a client.
func (r *rooms) received(s *session) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return s.received
}

// take returns the frames for a link to carry, and whether they are the session's last: over is
// then the reason for the end, or nil if another link has taken over.
func (r *rooms) take(s *session, l *link) (texts []json.RawMessage, last bool, over *protocol.Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case s.over != nil:
		return nil, true, s.over
	case l == nil || s.link != l:
		return nil, true, nil
	}
	return s.takeLocked(l), false, nil
}

// deliverLocked queues a frame without blocking.
func (r *rooms) deliverLocked(s *session, frame protocol.FromServer) {
	if s.over != nil {
		return
	}
	r.metrics.frames.WithLabelValues(queued).Inc()
	if !s.enqueueLocked(frame) {
		r.metrics.hit(limitQueue)
		r.endLocked(s, protocol.TooSlow, notTaken)
	}
}

const notTaken = "frames were not taken in time: join with the same epoch"

// write records that a batch of a session's frames is being written, until done is called. Beyond
// two, the oldest is cut: nobody reads it.
func (r *rooms) write(s *session, cut func()) (done func()) {
	w := &batch{cut}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.writing = append(s.writing, w)
	if len(s.writing) > maxWriting {
		s.writing[0].cut()
		s.writing = slices.Delete(s.writing, 0, 1)
	}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		s.writing = slices.DeleteFunc(s.writing, func(other *batch) bool { return other == w })
	}
}

func (r *rooms) tellLocked(in *room, about *session, frame protocol.FromServer) {
	for _, other := range in.others(about) {
		r.deliverLocked(other, frame)
	}
}

// endLocked ends a session and notifies the others, unless it had already lost its seat.
func (r *rooms) endLocked(s *session, code protocol.Code, message string) {
	r.endWithLocked(s, &protocol.Error{Code: code, Message: message})
}

func (r *rooms) endWithLocked(s *session, over *protocol.Error) {
	if s.over != nil {
		return
	}
	s.over = over
	r.noteEndLocked(s)
	r.metrics.ended.WithLabelValues(string(over.Code)).Inc()
	delete(r.sessions, s.token)
	s.wakeLocked()
	in := r.byID[s.appointment]
	if in == nil {
		return
	}
	if s.apart {
		in.checks[s.seat] = slices.DeleteFunc(in.checks[s.seat], func(other *session) bool { return other == s })
		if len(in.checks[s.seat]) == 0 {
			delete(in.checks, s.seat)
		}
		return
	}
	if in.seats[s.seat] != s {
		return
	}
	delete(in.seats, s.seat)
	r.tellLocked(in, s, protocol.FromServer{Left: new(s.present())})
}

// end ends a session.
func (r *rooms) end(s *session, code protocol.Code, message string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endLocked(s, code, message)
}

// endAll ends the sessions of an appointment, or of only one of its seats.
func (r *rooms) endAll(appointment, seat string, code protocol.Code, message string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.sessions {
		if s.appointment == appointment && (seat == "" || seat == s.seat) {
			r.endLocked(s, code, message)
		}
	}
}

// seated returns the seats of an appointment that are taken.
func (r *rooms) seated(appointment string) []string {
	seats := []string{}
	r.mu.Lock()
	defer r.mu.Unlock()
	if in := r.byID[appointment]; in != nil {
		for seat := range in.seats {
			seats = append(seats, seat)
		}
	}
	slices.Sort(seats)
	return seats
}

func (r *room) others(s *session) (others []*session) {
	for _, other := range r.seats {
		if other != s {
			others = append(others, other)
		}
	}
	return others
}
