package signal

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"time"

	"praxisrelay/signal/appointment"
	"praxisrelay/signal/protocol"
)

// Bounds of a session.
const (
	// awayTime is how long a session waits for its client to come back.
	awayTime = 2 * time.Minute
	// queueFrames and queueBytes bound what waits for a client.
	queueFrames = 128
	queueBytes  = 512 << 10
	// frameInterval and frameBurst are how fast a client's frames are taken; one counts
	// for as many as it has times 4 KiB, so that a burst does not fill its partner's queue.
	frameInterval = time.Second / 20
	frameBurst    = 100
	frameBytes    = 4 << 10
)

// session is a client's hold on its seat, or its stay beside it. It outlives the connections, one at a time,
// that carry its frames. The rooms' lock guards what changes.
type session struct {
	appointment string
	seat        string
	epoch       string
	address     string // of the client that joined, as far as it may be kept
	token       string // for resuming
	lookup      appointment.Lookup
	apart       bool   // a check: it holds no seat, and nobody is told of it
	holder      Holder // whom its credentials are for; it ends when they do

	admitted  bool
	sent      uint64            // the number of the last frame for the client
	queue     []json.RawMessage // the last of these, as far as they are not acknowledged
	waiting   int               // bytes in queue
	received  uint64            // the number of the last frame from the client
	acked     uint64            // what of that the client was told
	pace      bucket            // of frames from the client
	link      *link             // nil while the client is away
	away      time.Time         // since when
	transport transport         // of the last link
	over      *protocol.Error   // why it has ended
}

// transport is what carries a session's frames.
type transport string

const (
	overSocket transport = "socket"
	overPoll   transport = "poll"
)

// link is the connection that carries a session's frames now.
type link struct {
	wake chan struct{} // holds a token when there may be something to do
	sent uint64        // the number of the last frame that it carried
	ack  bool          // the client waits for an acknowledgement
}

func newSession(a appointment.Appointment, seat appointment.Seat, epoch string, apart bool) *session {
	var random [16]byte
	rand.Read(random[:])
	holds := seat.Name
	if apart {
		holds = appointment.Test
	}
	return &session{
		appointment: a.ID,
		seat:        seat.Name,
		epoch:       epoch,
		token:       base64.RawURLEncoding.EncodeToString(random[:]),
		lookup:      seat.Lookup,
		apart:       apart,
		holder:      Holder{a.ID, holds, a.Generation(holds), a.Ends()},
	}
}

func (s *session) present() protocol.Present {
	return protocol.Present{Seat: s.seat, Epoch: s.epoch, Admitted: s.admitted}
}

// enqueueLocked numbers a frame and queues it, and tells whether there was room.
func (s *session) enqueueLocked(frame protocol.FromServer) bool {
	s.sent++
	frame.N = s.sent
	text := encode(frame)
	s.queue = append(s.queue, text)
	s.waiting += len(text)
	s.wakeLocked()
	return len(s.queue) <= queueFrames && s.waiting <= queueBytes
}

func (s *session) wakeLocked() {
	if s.link == nil {
		return
	}
	select {
	case s.link.wake <- struct{}{}:
	default:
	}
}

// forgetLocked drops the frames that the client has got, up to number n. It returns
// false when that many were never sent.
func (s *session) forgetLocked(n uint64) bool {
	if n > s.sent {
		return false
	}
	first := s.forgottenLocked()
	if n <= first {
		return true
	}
	for _, text := range s.queue[:n-first] {
		s.waiting -= len(text)
	}
	s.queue = append(s.queue[:0:0], s.queue[n-first:]...)
	return true
}

// forgottenLocked is the number of the last frame that the client has acknowledged.
func (s *session) forgottenLocked() uint64 { return s.sent - uint64(len(s.queue)) }

// attachLocked makes a new link the session's, from the frame behind received on.
// The older link, if there is one, learns that it carries nothing any more.
func (s *session) attachLocked(received uint64) *link {
	s.wakeLocked()
	s.link = &link{wake: make(chan struct{}, 1), sent: received}
	s.wakeLocked()
	return s.link
}

// takeLocked returns the frames that a link has not carried yet.
func (s *session) takeLocked(l *link) (texts []json.RawMessage) {
	first := s.forgottenLocked()
	if from := max(l.sent, first); from < s.sent {
		texts = append(texts, s.queue[from-first:]...)
	}
	l.sent = s.sent
	if l.ack || s.received-s.acked >= protocol.AckEvery {
		texts = append(texts, encode(protocol.FromServer{Ack: new(s.received)}))
		l.ack, s.acked = false, s.received
	}
	return texts
}

// paceLocked returns how long the client's next frame has to wait, which is then not
// taken.
func (s *session) paceLocked(now time.Time, frame protocol.FromClient) time.Duration {
	wait := s.pace.wait(now, frameInterval, frameBurst)
	if wait > 0 {
		return wait
	}
	s.pace.add(now, frameInterval)
	if frame.Send != nil {
		s.pace.add(now, time.Duration(len(frame.Send.Sealed)/frameBytes)*frameInterval)
	}
	return 0
}

func encode(frame protocol.FromServer) json.RawMessage {
	text, err := json.Marshal(frame)
	if err != nil {
		panic(err) // frames are made of plain values
	}
	return text
}
