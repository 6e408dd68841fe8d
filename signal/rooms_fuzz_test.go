package signal

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"praxisrelay/signal/appointment"
	"praxisrelay/signal/journal"
	"praxisrelay/signal/protocol"
)

// hostile is a set of clients that have both codes of an appointment and do as they please, step by
// step.
type hostile struct {
	*testing.T
	*rooms
	script   []byte
	now      time.Time
	sessions []*guest // all there ever were
	epochs   [3]string
}

// guest is a client's view of its session.
type guest struct {
	*session
	links    []*link
	seen     uint64 // the number of the last frame taken
	repeated int    // bytes of frames taken before
	since    time.Time
	n        uint64
	writing  []func()
}

// FuzzRooms: whatever clients do, what they hold is bounded, they get not much more than they send,
// and only the doctor lets anybody in.
func FuzzRooms(f *testing.F) {
	const doctor, patient = 0, 1 // as seats, and as the first two who join, both with epoch 0
	meet := []byte{0, doctor, 0, patient}
	message := []byte{3, doctor, patient, 0, 255}
	again := []byte{7, patient, 0, 0, 2, patient, 0, 0, 0} // take, and resume with nothing received
	f.Add(slices.Concat(meet, bytes.Repeat(message, 40), []byte{1, 0, 0, 0, 255}, bytes.Repeat(message, 40)))
	f.Add(slices.Concat(meet, bytes.Repeat(message, 30), bytes.Repeat(again, 100)))
	f.Add(slices.Concat(meet, []byte{4, doctor, patient, 0, 5, patient, 0, 0, 6, doctor, 0, 0, 9, patient, 0, 0}))
	f.Add(slices.Concat(meet, []byte{4, patient, patient, 0}))
	f.Add(slices.Concat(meet, bytes.Repeat([]byte{3, patient, doctor, 1, 0}, 140), bytes.Repeat([]byte{0, 8, 1, 0, 0, 0, 20}, 20)))
	f.Add(slices.Concat(meet, bytes.Repeat([]byte{8, patient, 0, 0, 1, 10, patient, 0, 0, 11, 0, 0, 0, 130}, 3)))
	m := newMetrics()
	f.Fuzz(func(t *testing.T, script []byte) {
		h := &hostile{T: t, script: script[:min(len(script), 2000)], now: day}
		for i := range h.epochs {
			h.epochs[i] = strings.Repeat("ABC"[i:i+1], 21) + "A"
		}
		ice := func(Holder) (protocol.ICE, error) {
			return protocol.ICE{Servers: []protocol.ICEServer{{URLs: []string{"turn:relay"}}}}, nil
		}
		explain := func(in []journal.Session, _ string) protocol.Explanation {
			return protocol.Explanation{Cause: "unknown"}
		}
		h.rooms = newRooms(true, ice, explain, m, journal.New(func() time.Time { return h.now }, nil))
		for len(h.script) > 0 {
			h.step()
			h.check()
		}
	})
}

// next takes a byte of the script.
func (h *hostile) next() byte {
	if len(h.script) == 0 {
		return 0
	}
	b := h.script[0]
	h.script = h.script[1:]
	return b
}

func (h *hostile) step() {
	op := h.next() % 12
	if op == 0 || len(h.sessions) == 0 {
		h.join(h.next())
		return
	}
	s := h.sessions[int(h.next())%len(h.sessions)]
	seat, epoch := appointment.SeatNames[h.next()%2], h.epochs[h.next()%3]
	switch op {
	case 1:
		h.now = h.now.Add(time.Duration(h.next()) * 50 * time.Millisecond)
	case 2:
		h.resume(s, uint64(h.next()))
	case 3:
		sealed := make([]byte, 32*int(h.next()))
		s.n++
		h.say(s, protocol.FromClient{N: s.n, Send: &protocol.Send{To: seat, Epoch: epoch, Seq: s.n, Sealed: sealed}})
	case 4:
		s.n++
		h.say(s, protocol.FromClient{N: s.n, Admit: &protocol.Admit{Seat: seat, Epoch: epoch}})
	case 5:
		s.n++
		h.say(s, protocol.FromClient{N: s.n, ICE: &protocol.Empty{}})
	case 6:
		s.n++
		h.say(s, protocol.FromClient{N: s.n, Explain: &protocol.Empty{}})
	case 7:
		h.take(s)
	case 8:
		h.say(s, protocol.FromClient{Ack: new(uint64(h.next()))})
	case 9:
		h.say(s, protocol.FromClient{Leave: &protocol.Empty{}})
	case 10: // a batch was written, or its connection was lost
		if len(s.writing) > 0 {
			s.writing[0]()
			s.writing = s.writing[1:]
		}
		if len(s.links) > 0 {
			h.detach(h.now, s.session, s.links[0])
			s.links = s.links[1:]
		}
	case 11:
		h.now = h.now.Add(time.Duration(h.next()) * time.Second)
		h.sweep(h.now)
	}
}

func (h *hostile) join(how byte) {
	seat := appointment.Seat{Name: appointment.SeatNames[how%2]}
	a := appointment.Appointment{ID: "jnrgqgsnkz2ja", Opens: day, Closes: day.Add(time.Hour)}
	s := &guest{session: newSession(a, seat, h.epochs[how/2%3], how&8 != 0), since: h.now}
	l, failure := h.rooms.join(h.now, s.session, protocol.Welcome{}, func() *protocol.Error { return nil })
	if failure == nil {
		s.links, h.sessions = append(s.links, l), append(h.sessions, s)
	}
}

func (h *hostile) resume(s *guest, received uint64) {
	if _, l, failure := h.rooms.resume(h.now, overPoll, protocol.Resume{Session: s.token, Received: received}); failure == nil && l != nil {
		s.links, s.n = append(s.links, l), h.received(s.session)
	}
}

// say submits a frame, and compares its size with the client's own answer.
func (h *hostile) say(s *guest, said protocol.FromClient) {
	text, err := json.Marshal(said)
	if err != nil {
		h.Fatal(err)
	}
	frame, err := decodeFrame(text)
	if err != nil {
		h.Fatalf("%s: %v", text, err)
	}
	before, left, admitted := s.waiting, len(s.queue), h.admitted()
	wait, over := h.handle(h.now, s.session, frame)
	if wait > 0 {
		s.n = min(s.n, h.received(s.session))
	}
	const most = 300 // bytes of an answer that the server makes
	if got := s.waiting - before; len(s.queue) > left && got > most && got > len(text)+most/2 {
		h.Fatalf("%d bytes are answered by %d: %s", len(text), got, text)
	}
	if s.seat != appointment.Doctor && h.admitted() > admitted {
		h.Fatal("a patient lets somebody in")
	}
	if over == nil && wait > time.Minute {
		h.Fatalf("a frame has to wait %v", wait)
	}
}

// admitted returns the number of admitted sessions.
func (h *hostile) admitted() (n int) {
	for _, s := range h.sessions {
		if s.session.admitted {
			n++
		}
	}
	return n
}

func (h *hostile) take(s *guest) {
	if len(s.links) == 0 {
		return
	}
	l := s.links[len(s.links)-1]
	texts, _, _ := h.rooms.take(s.session, l)
	size := 0
	for _, text := range texts {
		var frame protocol.FromServer
		if err := json.Unmarshal(text, &frame); err != nil {
			h.Fatalf("%s: %v", text, err)
		}
		if size += len(text); frame.N > 0 && frame.N <= s.seen {
			s.repeated += len(text)
		}
		s.seen = max(s.seen, frame.N)
		if frame.ICE != nil && !s.admitted {
			h.Fatal("who waits has a credential")
		}
	}
	if len(texts) > 1 && size > batchBytes+100 {
		h.Fatalf("a batch has %d bytes", size)
	}
	if len(texts) > 0 {
		s.writing = append(s.writing, h.write(s.session, func() {}))
	}
}

// check verifies the invariants after each step.
func (h *hostile) check() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.rooms.sessions); n > 2+2*maxChecks {
		h.Fatalf("one appointment has %d sessions", n)
	}
	there := 0
	for _, in := range h.byID {
		if len(in.replaced) > maxReplaced || len(in.seats) > 2 {
			h.Fatalf("a room has %d sessions and remembers %d", len(in.seats), len(in.replaced))
		}
		there += len(in.seats)
		for _, checks := range in.checks {
			there += len(checks)
		}
	}
	if there != len(h.rooms.sessions) {
		h.Fatalf("%d sessions are in rooms, of %d", there, len(h.rooms.sessions))
	}
	for _, s := range h.sessions {
		size := 0
		for _, text := range s.queue {
			size += len(text)
		}
		switch span := h.now.Sub(s.since); {
		case size != s.waiting || s.over == nil && (len(s.queue) > queueFrames || size > queueBytes):
			h.Fatalf("%d frames of %d bytes wait, counted as %d", len(s.queue), size, s.waiting)
		case len(s.session.writing) > maxWriting:
			h.Fatalf("%d batches are written", len(s.session.writing))
		case s.forgottenLocked() > s.sent || s.carried > s.sent:
			h.Fatalf("of %d frames %d were carried", s.sent, s.carried)
		case s.repeated > repeatBurst*frameBytes+queueBytes+int(span/repeatInterval+1)*frameBytes:
			h.Fatalf("%d bytes were said again in %v", s.repeated, span)
		case (s.over == nil) != (h.rooms.sessions[s.token] == s.session):
			h.Fatalf("a session is forgotten that goes on, or goes on and is over: %v", s.over)
		}
	}
}
