package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"praxisrelay/signal/code"
	"praxisrelay/signal/protocol"
	"praxisrelay/signal/seal"
)

// Check tries each way to the signaling separately, without taking the code's seat: it notifies,
// replaces and reaches nobody in the consultation.
type Check struct {
	Dialer
	Keys code.Keys
}

// Beside is the welcome of a check, which holds no seat.
type Beside struct {
	Welcome protocol.Welcome
	RoomKey seal.RoomKey // of a test: see [seal.TestKey]
	// ICE holds a credential for the check itself; nil: the seat waits for the doctor.
	ICE *protocol.ICE
}

// Join joins with a single request. An error from the appliance is a *protocol.Error.
func (c Check) Join(ctx context.Context) (b Beside, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	frames, err := c.poll(ctx, protocol.Poll{Frames: []protocol.FromClient{c.join()}})
	if err != nil {
		return b, err
	}
	b, err = c.read(frames)
	if err == nil {
		_, _ = c.poll(ctx, protocol.Poll{Frames: []protocol.FromClient{
			{Resume: &protocol.Resume{Session: b.Welcome.Session}}, {Leave: &protocol.Empty{}},
		}})
	}
	return b, err
}

func (c Check) join() protocol.FromClient {
	return protocol.FromClient{Join: &protocol.Join{Token: c.Keys.JoinToken[:], Epoch: seal.NewEpoch(), Check: true}}
}

func (c Check) read(frames []protocol.FromServer) (b Beside, err error) {
	for _, frame := range frames {
		switch {
		case frame.Error != nil:
			return b, frame.Error
		case frame.Welcome != nil:
			b.Welcome = *frame.Welcome
		case frame.ICE != nil:
			b.ICE = frame.ICE
		}
	}
	w := b.Welcome
	if w.Session == "" {
		return b, errors.New("the answer to a join has no welcome: is it an appliance?")
	}
	b.RoomKey, err = seal.Unwrap(c.Keys.SealKey, w.Appointment, w.Seat, w.RoomKey)
	return b, err
}

// HoldPoll keeps a poll waiting for the duration, then has the server answer it. It returns how
// long the poll was held; an earlier answer is an error.
func (c Check) HoldPoll(ctx context.Context, duration time.Duration) (held time.Duration, err error) {
	frames, err := c.poll(ctx, protocol.Poll{Frames: []protocol.FromClient{c.join()}})
	if err != nil {
		return 0, err
	}
	b, err := c.read(frames)
	if err != nil {
		return 0, err
	}
	resume := protocol.Resume{Session: b.Welcome.Session}
	for _, frame := range frames {
		resume.Received = max(resume.Received, frame.N)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := time.Now()
	answered := make(chan error, 1)
	go func() {
		_, err := c.poll(ctx, protocol.Poll{Frames: []protocol.FromClient{{Resume: &resume}}})
		answered <- err
	}()
	select {
	case err := <-answered:
		if err == nil {
			err = errors.New("a poll was answered before there was something to say")
		}
		return time.Since(began), err
	case <-time.After(duration):
	case <-ctx.Done():
		return time.Since(began), ctx.Err()
	}
	// A second poll with something to say releases the first, and is answered at once.
	if _, err := c.poll(ctx, protocol.Poll{Frames: []protocol.FromClient{{Resume: &resume}, {Leave: &protocol.Empty{}}}}); err != nil {
		return time.Since(began), err
	}
	select {
	case err := <-answered:
		return time.Since(began), err
	case <-time.After(answerTime):
		return time.Since(began), errors.New("the answer to a held poll does not arrive")
	}
}

// NoSocket reports that a WebSocket was not opened. Status is that of the answer that came instead;
// 0: none.
type NoSocket struct {
	Status int
	Err    error
}

func (n NoSocket) Error() string { return fmt.Sprintf("no WebSocket was opened: %v", n.Err) }
func (n NoSocket) Unwrap() error { return n.Err }

// HoldSocket keeps a WebSocket open for the duration, with heartbeats that must be answered. It
// returns how long the socket was held.
func (c Check) HoldSocket(ctx context.Context, duration time.Duration) (held time.Duration, err error) {
	target, err := endpoint(c.Server, "/v1/signal")
	if err != nil {
		return 0, err
	}
	opening, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	socket, response, err := websocket.Dial(opening, target, &websocket.DialOptions{
		HTTPClient: c.HTTP, Subprotocols: []string{protocol.Subprotocol},
	})
	if err != nil {
		refused := NoSocket{Err: err}
		if response != nil && response.StatusCode != http.StatusSwitchingProtocols {
			refused.Status = response.StatusCode
		}
		return 0, refused
	}
	defer socket.CloseNow()
	began := time.Now()
	socket.SetReadLimit(maxFromServer)
	// Reading never pauses, so that a cut is noticed at once.
	reading, stop := context.WithCancel(ctx)
	defer stop()
	frames, lost := make(chan protocol.FromServer), make(chan error, 1)
	go func() {
		for {
			var frame protocol.FromServer
			err := wsjson.Read(reading, socket, &frame)
			if err == nil && frame.Error != nil {
				err = frame.Error
			}
			if err != nil {
				lost <- err
				return
			}
			select {
			case frames <- frame:
			case <-reading.Done():
			}
		}
	}()
	var received uint64
	// until waits for a wanted frame, for as long as an answer may take.
	until := func(wanted func(protocol.FromServer) bool) error {
		late := time.NewTimer(answerTime)
		defer late.Stop()
		for {
			select {
			case frame := <-frames:
				received = max(received, frame.N)
				if wanted(frame) {
					return nil
				}
			case err := <-lost:
				return err
			case <-late.C:
				return errors.New("it carries nothing any more")
			}
		}
	}
	if err := wsjson.Write(ctx, socket, c.join()); err != nil {
		return 0, NoSocket{Err: err}
	}
	if err := until(func(frame protocol.FromServer) bool { return frame.Welcome != nil }); err != nil {
		if _, answered := errors.AsType[*protocol.Error](err); answered {
			return 0, err
		}
		return 0, NoSocket{Err: err}
	}
	// A heartbeat goes out at the start and at the end, to prove the whole duration, and in between
	// as seldom as the page's.
	end := time.NewTimer(duration)
	defer end.Stop()
	for ended := false; ; {
		err := wsjson.Write(ctx, socket, protocol.FromClient{Ack: &received})
		if err == nil {
			err = until(func(frame protocol.FromServer) bool { return frame.Ack != nil })
		}
		held = time.Since(began)
		if err != nil {
			return held, err
		}
		if ended {
			break
		}
		beat := time.NewTimer(heartbeat())
		for waiting := true; waiting; {
			select {
			case frame := <-frames:
				received = max(received, frame.N)
			case err := <-lost:
				beat.Stop()
				return time.Since(began), err
			case <-beat.C:
				waiting = false
			case <-end.C:
				ended, waiting = true, false
			}
		}
		beat.Stop()
	}
	_ = wsjson.Write(ctx, socket, protocol.FromClient{Leave: &protocol.Empty{}})
	return held, nil
}
