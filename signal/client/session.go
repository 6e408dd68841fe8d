package client

import (
	"context"
	"errors"
	"sync"
	"time"

	"praxisrelay/signal/code"
	"praxisrelay/signal/protocol"
	"praxisrelay/signal/seal"
)

// Session is a seat that is held, whatever happens to the connection. Any goroutine may call its
// methods.
type Session struct {
	// Welcome is the first one. After a server restart another arrives, with a different Session
	// and Present.
	Welcome protocol.Welcome

	dialer   Dialer
	keys     code.Keys
	epoch    string
	key      seal.RoomKey
	receiver *seal.Receiver
	events   chan Event
	done     chan struct{}
	err      error // why it ended; set before done is closed
	cancel   context.CancelFunc
	welcomed sync.Once
	joined   chan struct{}

	mu       sync.Mutex
	token    string                // of the session on the server; empty: join
	received uint64                // the number of the last frame received
	unacked  uint64                // frames received since the last acknowledgment
	n        uint64                // the number of the last frame in pending
	pending  []protocol.FromClient // not yet acknowledged by the server
	seqs     map[string]uint64     // epoch of a receiver -> its next message's number
	wake     chan struct{}         // holds a token when there is something to send
	leaving  bool
}

// Event is the result of Receive: exactly one member is set.
type Event struct {
	Joined, Left *protocol.Present
	Absent       *protocol.Absent
	ICE          *protocol.ICE // the seat is admitted, or has a new credential
	Message      *Message
}

// Message is a message from another seat. Without Plain it was unusable, and Finding is the reason;
// see [seal.Receiver].
type Message struct {
	From    protocol.Present
	Seq     uint64
	Plain   []byte
	Finding seal.Finding
}

// eventBuffer is how many events wait for Receive.
const eventBuffer = 256

func newSession(d Dialer, keys code.Keys) *Session {
	return &Session{
		dialer: d, keys: keys, epoch: seal.NewEpoch(),
		events: make(chan Event, eventBuffer), done: make(chan struct{}), joined: make(chan struct{}),
		seqs: map[string]uint64{}, wake: make(chan struct{}, 1),
	}
}

// Epoch returns the name that this client gave itself.
func (s *Session) Epoch() string { return s.epoch }

// Receive waits for the next event. When the session is over it returns the reason, a
// *protocol.Error if it came from the server.
func (s *Session) Receive(ctx context.Context) (Event, error) {
	select {
	case e := <-s.events:
		return e, nil
	default:
	}
	select {
	case e := <-s.events:
		return e, nil
	case <-s.done:
		return Event{}, s.err
	case <-ctx.Done():
		return Event{}, ctx.Err()
	}
}

// WaitICE receives until the seat is admitted, and drops other events.
func (s *Session) WaitICE(ctx context.Context) (protocol.ICE, error) {
	for {
		e, err := s.Receive(ctx)
		if err != nil {
			return protocol.ICE{}, err
		}
		if e.ICE != nil {
			return *e.ICE, nil
		}
	}
}

// Send seals a message for another session, without waiting until it is sent. While there is no
// connection at most a thousand messages wait; beyond that it returns ErrBacklog.
func (s *Session) Send(to protocol.Present, plain []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) >= maxPending {
		return ErrBacklog
	}
	seq := s.seqs[to.Epoch]
	s.seqs[to.Epoch] = seq + 1
	s.queueLocked(protocol.FromClient{Send: &protocol.Send{
		To: to.Seat, Epoch: to.Epoch, Seq: seq,
		Sealed: s.key.Seal(seal.Place{
			Appointment: s.Welcome.Appointment,
			From:        s.Welcome.Seat, To: to.Seat,
			FromEpoch: s.epoch, ToEpoch: to.Epoch,
			Seq: seq,
		}, plain),
	}})
	return nil
}

// ErrBacklog reports that too many messages wait to be sent.
var ErrBacklog = errors.New("a thousand messages wait to be sent: is there a connection?")

const maxPending = 1000

// Admit lets a waiting session in; only the doctor's may.
func (s *Session) Admit(waiting protocol.Present) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queueLocked(protocol.FromClient{Admit: &protocol.Admit{Seat: waiting.Seat, Epoch: waiting.Epoch}})
}

// RenewICE asks for a new credential, which comes as an event.
func (s *Session) RenewICE() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queueLocked(protocol.FromClient{ICE: &protocol.Empty{}})
}

// Close leaves the seat.
func (s *Session) Close() error {
	s.mu.Lock()
	s.leaving = true
	s.wakeLocked()
	s.mu.Unlock()
	select {
	case <-s.done:
	case <-time.After(closeTime):
		s.cancel()
		<-s.done
	}
	return nil
}

// closeTime is how long leaving may take while there is no connection.
const closeTime = 3 * time.Second

var errLeft = errors.New("the session was closed")

// queueLocked numbers a frame and keeps it until the server acknowledges it.
func (s *Session) queueLocked(frame protocol.FromClient) {
	s.n++
	frame.N = s.n
	s.pending = append(s.pending, frame)
	s.wakeLocked()
}

func (s *Session) wakeLocked() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// openingLocked returns the first frame of a connection. A join begins a new session, which
// restarts the numbering.
func (s *Session) openingLocked() protocol.FromClient {
	if s.token != "" {
		s.unacked = 0
		return protocol.FromClient{Resume: &protocol.Resume{Session: s.token, Received: s.received}}
	}
	s.received, s.unacked, s.n = 0, 0, 0
	for i := range s.pending {
		s.n++
		s.pending[i].N = s.n
	}
	return protocol.FromClient{Join: &protocol.Join{Token: s.keys.JoinToken[:], Epoch: s.epoch}}
}

// afterLocked returns the frames with numbers above n.
func (s *Session) afterLocked(n uint64) []protocol.FromClient {
	for i, frame := range s.pending {
		if frame.N > n {
			return s.pending[i:]
		}
	}
	return nil
}

// acknowledgedLocked forgets the frames that the server has received.
func (s *Session) acknowledgedLocked(n uint64) {
	rest := s.afterLocked(n)
	s.pending = append(s.pending[:0:0], rest...)
}

// take handles one frame from the server, and waits until Receive's buffer has room. An error ends
// the connection.
func (s *Session) take(ctx context.Context, frame protocol.FromServer) error {
	news, err := s.note(frame)
	if err != nil || !news {
		return err
	}
	return s.report(ctx, frame)
}

// note updates the session, and reports whether the frame is new.
func (s *Session) note(frame protocol.FromServer) (news bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if frame.N > 0 {
		switch {
		case frame.N <= s.received:
			return false, nil
		case frame.N != s.received+1:
			return false, errors.New("the server left out a frame")
		}
		s.received = frame.N
		if s.unacked++; s.unacked >= protocol.AckEvery {
			s.wakeLocked()
		}
	}
	switch {
	case frame.Welcome != nil:
		err = s.welcomeLocked(*frame.Welcome)
	case frame.Resumed != nil:
		s.acknowledgedLocked(frame.Resumed.Received)
	case frame.Ack != nil:
		s.acknowledgedLocked(*frame.Ack)
	case frame.Error != nil:
		if c := frame.Error.Code; c == protocol.UnknownSession || c == protocol.TooSlow || c == protocol.Maintenance {
			s.token = ""
		}
		err = frame.Error
	}
	return true, err
}

func (s *Session) welcomeLocked(w protocol.Welcome) (err error) {
	s.token = w.Session
	s.welcomed.Do(func() {
		s.Welcome = w
		s.key, err = seal.Unwrap(s.keys.SealKey, w.Appointment, w.Seat, w.RoomKey)
		s.receiver = seal.NewReceiver(s.key, w.Appointment, w.Seat, s.epoch)
		if err == nil {
			close(s.joined)
		}
	})
	return err
}

// report queues the events in a frame, if any, for Receive.
func (s *Session) report(ctx context.Context, frame protocol.FromServer) error {
	var events []Event
	switch m := frame.Message; {
	case m != nil:
		plain, finding := s.receiver.Open(m.From, m.Epoch, m.Seq, m.Sealed)
		events = []Event{{Message: &Message{protocol.Present{Seat: m.From, Epoch: m.Epoch}, m.Seq, plain, finding}}}
	case frame.Welcome != nil:
		for i := range frame.Welcome.Present {
			events = append(events, Event{Joined: &frame.Welcome.Present[i]})
		}
	case frame.Joined != nil, frame.Left != nil, frame.Absent != nil, frame.ICE != nil:
		events = []Event{{Joined: frame.Joined, Left: frame.Left, Absent: frame.Absent, ICE: frame.ICE}}
	}
	for _, e := range events {
		select {
		case s.events <- e:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
