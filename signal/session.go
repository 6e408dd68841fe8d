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
	// awayTime is how long a session waits for its client to return.
	awayTime = 2 * time.Minute
	// goneTime is the same for a client whose window closed the socket on its way out: the page may
	// be reloading.
	goneTime = 5 * time.Second
	// queueFrames and queueBytes bound what waits for a client.
	queueFrames = 128
	queueBytes  = 512 << 10
	// frameInterval and frameBurst limit the rate of a client's frames. A frame counts once per 4
	// KiB, so that a burst does not fill its partner's queue.
	frameInterval = time.Second / 20
	frameBurst    = 100
	frameBytes    = 4 << 10
	// waitingFactor multiplies a frame's cost until the session is admitted: a stranger who knocks
	// has little to say.
	waitingFactor = 4
	// repeatInterval and repeatBurst limit the rate of resending lost frames, in units of 4 KiB.
	repeatInterval = time.Second / 4
	repeatBurst    = 4 * batchBytes / frameBytes
	// batchBytes is roughly how much a connection takes at once. It holds the batch until it is
	// written, even if the client forgets it meanwhile.
	batchBytes = 64 << 10
	// maxWriting is how many of a session's connections may be writing: the last one, and a
	// predecessor that may not yet have noticed that its client is gone.
	maxWriting = 2
)

// session is a client's hold on its seat, or a check next to it. It outlives the connections that
// carry its frames, one at a time. The rooms' lock guards the fields that change.
type session struct {
	appointment string
	seat        string
	epoch       string
	address     string // of the client that joined, to the extent that it may be kept
	token       string // for resuming
	lookup      appointment.Lookup
	apart       bool   // a check: it holds no seat, and nobody hears of it
	holder      Holder // identity for its credentials; the session ends when they do

	admitted  bool
	sent      uint64            // the number of the last frame for the client
	queue     []json.RawMessage // the unacknowledged ones among these
	waiting   int               // bytes in queue
	received  uint64            // the number of the last frame from the client
	acked     uint64            // the last of these acknowledged to the client
	pace      limit.Bucket      // of frames from the client
	carried   uint64            // the number of the last frame that any link has carried
	repeats   limit.Bucket      // of resent frames
	writing   []*batch          // oldest first
	link      *link             // nil while the client is away
	away      time.Time         // since when
	going     bool              // its window is closing, and the link with it
	transport transport         // of the last link
	over      *protocol.Error   // why it has ended
}

// transport is how a session's frames travel.
type transport string

const (
	overSocket transport = "socket"
	overPoll   transport = "poll"
)

// link is the connection that currently carries a session's frames.
type link struct {
	wake chan struct{} // holds a token when there may be something to do
	sent uint64        // the number of the last frame that it carried
	ack  bool          // the client waits for an acknowledgement
}

// batch is frames being written to a connection, which cut closes.
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

// enqueueLocked numbers and queues a frame, and reports whether there was room.
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

// forgetLocked drops the frames up to number n, which the client has received. It returns false if
// that many were never sent.
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

// forgottenLocked returns the number of the last frame that the client acknowledged.
func (s *session) forgottenLocked() uint64 { return s.sent - uint64(len(s.queue)) }

// attachLocked gives the session a new link that starts after frame received. An older link learns
// that it has been replaced.
func (s *session) attachLocked(received uint64) *link {
	s.wakeLocked()
	s.going = false
	s.link = &link{wake: make(chan struct{}, 1), sent: received}
	s.wakeLocked()
	return s.link
}

// takeLocked returns the next frames that a link has yet to carry: at least one, if any, and at
// most a batch.
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

// paceLocked returns how long the client's next frame must wait; above zero it is not taken.
func (s *session) paceLocked(now time.Time, size int) time.Duration {
	counts := 1 + size/frameBytes
	if !s.admitted {
		counts *= waitingFactor
	}
	return s.pace.Take(now, frameInterval, frameBurst, counts)
}

// repeatsLocked reports whether the frames after number received, which a link carried before, may
// be carried again now.
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

// encode leaves <, > and & unescaped: nothing here is HTML, and each would take six bytes.
func encode(frame protocol.FromServer) json.RawMessage {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(frame); err != nil {
		panic(err) // frames consist of plain values
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n"))
}
