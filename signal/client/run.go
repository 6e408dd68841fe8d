package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"praxisrelay/signal/protocol"
	"praxisrelay/signal/seal"
)

// Limits of trying: a socket that does not open within openTime, or is lost within earlyTime twice,
// is given up for long polling.
const (
	openTime  = 5 * time.Second
	earlyTime = 30 * time.Second
	firstWait = 500 * time.Millisecond
	longWait  = 10 * time.Second
)

// errNoSocket reports that something on the way blocks WebSockets.
var errNoSocket = errors.New("no WebSocket")

// run keeps the session connected until it is over.
func (s *Session) run(ctx context.Context) {
	defer close(s.done)
	poll, early := s.dialer.Poll, 0
	for wait := firstWait; ; {
		began := time.Now()
		connect := s.overSocket
		if poll {
			connect = s.overPolls
		}
		opened, err := connect(ctx)
		if opened {
			wait = firstWait
		}
		if s.final(ctx, err) {
			s.err = err
			return
		}
		switch {
		case poll:
			poll = opened || s.dialer.Poll // if polls fail too, the network is down
		case opened:
			if early++; time.Since(began) >= earlyTime {
				early = 0
			}
			poll = early >= 2
		default:
			poll = errors.Is(err, errNoSocket)
		}
		select {
		case <-time.After(rand.N(wait)):
		case <-ctx.Done():
		}
		wait = min(2*wait, longWait)
	}
}

// final reports whether an error ends the session, not just one connection.
func (s *Session) final(ctx context.Context, err error) bool {
	switch {
	case errors.Is(err, errLeft), errors.Is(err, seal.ErrOpen), ctx.Err() != nil:
		return true
	case errors.Is(err, errNoSocket):
		return false
	}
	failure, ok := errors.AsType[*protocol.Error](err)
	switch {
	case !ok:
		return !s.isJoined() // the caller of Join decides whether to retry
	case failure.Code == protocol.UnknownSession, failure.Code == protocol.TooSlow, failure.Code == protocol.Unavailable:
		return false
	case failure.Code == protocol.Maintenance:
		return !s.isJoined() // the caller of Join learns that it may take hours
	}
	return true
}

func (s *Session) isJoined() bool {
	select {
	case <-s.joined:
		return true
	default:
		return false
	}
}
