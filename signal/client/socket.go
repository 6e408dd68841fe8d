package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"praxisrelay/signal/protocol"
)

// heartbeat returns how long a connection may be silent before a heartbeat: 20 to 25 seconds.
func heartbeat() time.Duration { return 20*time.Second + rand.N(5*time.Second) }

const (
	// answerTime is how long the first answer may take. A proxy may open a socket and then carry
	// nothing.
	answerTime = 10 * time.Second
	// silentTime is how long a connection may go without a frame before it counts as dead.
	silentTime = 60 * time.Second
)

// overSocket carries the session's frames over one WebSocket, and reports whether the
// server answered on it.
func (s *Session) overSocket(ctx context.Context) (opened bool, err error) {
	target, err := endpoint(s.dialer.Server, "/v1/signal")
	if err != nil {
		return false, err
	}
	dialing, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	socket, response, err := websocket.Dial(dialing, target, &websocket.DialOptions{
		HTTPClient:   s.dialer.HTTP,
		Subprotocols: []string{protocol.Subprotocol},
	})
	if err != nil && (response != nil || dialing.Err() != nil) {
		return false, fmt.Errorf("%w to %s: %w", errNoSocket, s.dialer.Server, err)
	}
	if err != nil {
		return false, fmt.Errorf("%s cannot be reached: %w", s.dialer.Server, err)
	}
	defer socket.CloseNow()
	socket.SetReadLimit(maxFromServer)
	s.mu.Lock()
	first := s.openingLocked()
	s.mu.Unlock()
	if err := wsjson.Write(ctx, socket, first); err != nil {
		return false, err
	}
	// The answer shows how much the server has already received.
	if err := s.next(ctx, socket, answerTime); err != nil {
		if _, answered := errors.AsType[*protocol.Error](err); !answered && ctx.Err() == nil {
			err = fmt.Errorf("%w that carries anything to %s: %w", errNoSocket, s.dialer.Server, err)
		}
		return false, err
	}
	reading := make(chan error, 1)
	go func() {
		for {
			if err := s.next(ctx, socket, silentTime); err != nil {
				reading <- err
				return
			}
		}
	}()
	return true, s.write(ctx, socket, reading)
}

// next reads and handles one frame.
func (s *Session) next(ctx context.Context, socket *websocket.Conn, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var frame protocol.FromServer
	if err := wsjson.Read(ctx, socket, &frame); err != nil {
		return err
	}
	return s.take(ctx, frame)
}

// write sends pending frames and heartbeats.
func (s *Session) write(ctx context.Context, socket *websocket.Conn, reading <-chan error) error {
	var sent uint64
	beat := time.NewTimer(heartbeat())
	defer beat.Stop()
	for due := false; ; due = false {
		s.mu.Lock()
		frames := append([]protocol.FromClient(nil), s.afterLocked(sent)...)
		if due || s.unacked >= protocol.AckEvery {
			frames = append(frames, protocol.FromClient{Ack: new(s.received)})
			s.unacked = 0
		}
		if s.leaving {
			frames = append(frames, protocol.FromClient{Leave: &protocol.Empty{}})
		}
		sent = s.n
		leaving := s.leaving
		s.mu.Unlock()
		for _, frame := range frames {
			if err := wsjson.Write(ctx, socket, frame); err != nil {
				return err
			}
		}
		if leaving {
			<-reading // the server closes
			return errLeft
		}
		select {
		case err := <-reading:
			return err
		case <-s.wake:
		case <-beat.C:
			due = true
			beat.Reset(heartbeat())
		}
	}
}
