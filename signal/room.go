package signal

import (
	"slices"
	"sync"

	"praxisrelay/signal/appointment"
	"praxisrelay/signal/protocol"
)

// rooms is the live signaling state: who is there, nothing else. It may be lost at
// any time; clients come back and it is there again.
type rooms struct {
	mu   sync.Mutex
	byID map[string]*room // appointment -> room, while somebody is in it
}

// room holds the sessions of one appointment, one per seat.
type room struct {
	seats map[string]*session
}

// session is one client's connection to its seat.
type session struct {
	appointment string
	seat        string
	epoch       string
	lookup      appointment.Lookup
	out         chan protocol.FromServer // to the client; never closed
	end         chan protocol.Error      // holds why the session must end, once
}

// sessionBuffer is how many frames may wait for a client. One that reads so slowly
// is disconnected; it can join again.
const sessionBuffer = 64

func newSession(id string, seat appointment.Seat, epoch string) *session {
	return &session{
		appointment: id,
		seat:        seat.Name,
		epoch:       epoch,
		lookup:      seat.Lookup,
		out:         make(chan protocol.FromServer, sessionBuffer),
		end:         make(chan protocol.Error, 1),
	}
}

func (s *session) present() protocol.Present {
	return protocol.Present{Seat: s.seat, Epoch: s.epoch}
}

// deliver queues a frame without ever waiting.
func (s *session) deliver(frame protocol.FromServer) {
	select {
	case s.out <- frame:
	default:
		s.stop(protocol.TooSlow, "frames were not read in time: join again")
	}
}

// stop tells the session to end. The first reason counts.
func (s *session) stop(code protocol.Code, message string) {
	select {
	case s.end <- protocol.Error{Code: code, Message: message}:
	default:
	}
}

func newRooms() *rooms { return &rooms{byID: map[string]*room{}} }

// join seats a session and tells the others; welcome, which knows who else is
// there, is delivered before anything else. An older session of the seat is replaced.
func (r *rooms) join(s *session, welcome protocol.Welcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	in := r.byID[s.appointment]
	if in == nil {
		in = &room{seats: map[string]*session{}}
		r.byID[s.appointment] = in
	}
	if old := in.seats[s.seat]; old != nil {
		old.stop(protocol.Replaced, "this code was used to join from elsewhere")
	}
	in.seats[s.seat] = s
	welcome.Present = []protocol.Present{}
	for _, other := range in.others(s) {
		welcome.Present = append(welcome.Present, other.present())
	}
	s.deliver(protocol.FromServer{Welcome: &welcome})
	in.tell(s, protocol.FromServer{Joined: new(s.present())})
}

// leave frees the seat, unless somebody else has it by now.
func (r *rooms) leave(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	in := r.byID[s.appointment]
	if in == nil || in.seats[s.seat] != s {
		return
	}
	delete(in.seats, s.seat)
	in.tell(s, protocol.FromServer{Left: new(s.present())})
	if len(in.seats) == 0 {
		delete(r.byID, s.appointment)
	}
}

// carry hands a sealed message to the session it was sealed for, and tells whether
// that session is there. A session that has been replaced carries nothing.
func (r *rooms) carry(s *session, send protocol.Send) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	in := r.byID[s.appointment]
	if in == nil || in.seats[s.seat] != s {
		return false
	}
	to := in.seats[send.To]
	if to == nil || to == s || to.epoch != send.Epoch {
		return false
	}
	to.deliver(protocol.FromServer{Message: &protocol.Message{
		From: s.seat, Epoch: s.epoch, Seq: send.Seq, Sealed: send.Sealed,
	}})
	return true
}

// end stops every session of an appointment.
func (r *rooms) end(appointment string, code protocol.Code, message string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if in := r.byID[appointment]; in != nil {
		for _, s := range in.seats {
			s.stop(code, message)
		}
	}
}

// seated returns the seats of an appointment that are held.
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

func (r *room) tell(about *session, frame protocol.FromServer) {
	for _, other := range r.others(about) {
		other.deliver(frame)
	}
}
