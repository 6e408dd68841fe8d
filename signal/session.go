package signal

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"time"

	"praxisrelay/signal/appointment"
	"praxisrelay/signal/limit"
	"praxisrelay/signal/protocol"
)

// Bounds of a session.
const (
	// awayTime is how long a session waits for its client to come back.
	awayTime = 2 * time.Minute
	// goneTime is the same where the client's window closed the socket as it went: it may
	// still be loaded again.
	goneTime = 5 * time.Second
	// queueFrames and queueBytes bound what waits for a client.
	queueFrames = 128
	queueBytes  = 512 << 10
	// frameInterval and frameBurst are how fast a client's frames are taken; one counts
	// for as many as it has times 4 KiB, so that a burst does not fill its partner's queue.
	frameInterval = time.Second / 20
	frameBurst    = 100
	frameBytes    = 4 << 10
	// waitingFactor is how many times as much a frame counts until the session is admitted:
	// a stranger who knocks has not much to say.
	waitingFactor = 4
	// repeatInterval and repeatBurst are how fast frames are carried again that were lost
	// on the way, by 4 KiB.
	repeatInterval = time.Second / 4
	repeatBurst    = 4 * batchBytes / frameBytes
	// batchBytes is about how much is taken for a connection at once. What it has taken it
	// holds until it is written, though the client forgets it meanwhile.
	batchBytes = 64 << 10
	// maxWriting is how many of a session's connections may be writing: the last one, and
	// one before that may not know yet that it has lost the client.
	maxWriting = 2
)

// session is a client's hold on its seat, or a check next to it. It outlives the connections, one at a time,
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
	pace      limit.Bucket      // of frames from the client
	carried   uint64            // the number of the last frame that any link has carried
	repeats   limit.Bucket      // of what is carried again
	writing   []*batch          // the oldest first
	link      *link             // nil while the client is away
	away      time.Time         // since when
	going     bool              // its window goes, and takes the link with it
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

// batch is frames that are being written to a connection, which cut ends.
type batch struct{ cut func() }

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

// enqueueLocked numbers a frame and queues it, and reports whether there was room.
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
	s.going = false
	s.link = &link{wake: make(chan struct{}, 1), sent: received}
	s.wakeLocked()
	return s.link
}

// takeLocked returns the next frames that a link has not carried yet: one at least, if
// there are any, and no more than a batch.
func (s *session) takeLocked(l *link) (texts []json.RawMessage) {
	first := s.forgottenLocked()
	l.sent = max(l.sent, first)
	for size := 0; l.sent < s.sent; l.sent++ {
		text := s.queue[l.sent-first]
		if size += len(text); size > batchBytes && len(texts) > 0 {
			break
		}
		texts = append(texts, text)
	}
	s.carried = max(s.carried, l.sent)
	if l.ack || s.received-s.acked >= protocol.AckEvery {
		texts = append(texts, encode(protocol.FromServer{Ack: new(s.received)}))
		l.ack, s.acked = false, s.received
	}
	return texts
}

// paceLocked returns how long the client's next frame has to wait, which is then not
// taken.
func (s *session) paceLocked(now time.Time, size int) time.Duration {
	counts := 1 + size/frameBytes
	if !s.admitted {
		counts *= waitingFactor
	}
	return s.pace.Take(now, frameInterval, frameBurst, counts)
}

// repeatsLocked reports whether a client that has got the frames up to number received may
// have those again that were carried before.
func (s *session) repeatsLocked(now time.Time, received uint64) bool {
	first, size := s.forgottenLocked(), 0
	for n := received; n < s.carried; n++ {
		size += len(s.queue[n-first])
	}
	if size == 0 {
		return true
	}
	return s.repeats.Take(now, repeatInterval, repeatBurst, 1+size/frameBytes) == 0
}

// encode leaves <, > and & as they are: nothing here is HTML, and each would be six bytes.
func encode(frame protocol.FromServer) json.RawMessage {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(frame); err != nil {
		panic(err) // frames are made of plain values
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n"))
}
