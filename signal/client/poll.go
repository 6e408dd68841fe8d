package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"praxisrelay/signal/protocol"
)

const (
	// pollTime is how long a poll may take. The server holds it for 25 seconds.
	pollTime = 40 * time.Second
	// pollPause separates two polls, so that frames sent together travel together.
	pollPause = 100 * time.Millisecond
)

// overPolls carries the session's frames by long polling, until a poll fails.
func (s *Session) overPolls(ctx context.Context) (opened bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		said   uint64 // the number of the last frame sent
		frames []protocol.FromServer
		err    error
	}
	answers := make(chan answer, 2)
	underway := 0
	for {
		s.mu.Lock()
		body := protocol.Poll{Frames: []protocol.FromClient{s.openingLocked()}}
		if s.token != "" {
			body.Frames = append(body.Frames, fitting(s.pending)...)
			if s.leaving {
				body.Frames = append(body.Frames, protocol.FromClient{Leave: &protocol.Empty{}})
			}
		}
		leaving := s.leaving && s.token != ""
		s.mu.Unlock()
		said := body.Frames[len(body.Frames)-1].N
		underway++
		go func() {
			frames, err := s.dialer.poll(ctx, body)
			answers <- answer{said, frames, err}
		}()
		if !leaving {
			select {
			case <-time.After(pollPause):
			case <-ctx.Done():
			}
		}
		// One poll is held. Another goes out when there is something to send.
		for waiting := true; waiting; {
			wake := s.wake
			if underway == cap(answers) || !opened || leaving {
				wake = nil
			}
			select {
			case <-wake:
				waiting = false
			case a := <-answers:
				underway--
				for _, frame := range a.frames {
					if a.err == nil {
						a.err = s.take(ctx, frame)
					}
				}
				if leaving {
					return true, errLeft
				}
				if a.err != nil {
					return opened, a.err
				}
				opened = true
				waiting = underway > 0 && !s.missed(a.said)
			}
		}
	}
}

// missed reports whether frames up to number n were refused because they came too fast; they are
// sent again.
func (s *Session) missed(n uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pending) > 0 && s.pending[0].N <= n
}

// fitting returns the leading frames that fit into a poll with its first and last.
func fitting(frames []protocol.FromClient) []protocol.FromClient {
	const most = protocol.MaxPollFrames - 2
	room := (protocol.MaxPollFactor - 1) * protocol.MaxFrame
	for i, frame := range frames {
		if frame.Send != nil {
			room -= len(frame.Send.Sealed)*4/3 + 256
		}
		if i == most || room < 0 && i > 0 {
			return frames[:i]
		}
	}
	return frames
}

// poll posts frames and returns those in the answer.
func (d Dialer) poll(ctx context.Context, body protocol.Poll) ([]protocol.FromServer, error) {
	target, err := endpoint(d.Server, "/v1/signal")
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, pollTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := d.HTTP.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var polled protocol.Polled
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusTooManyRequests {
		return nil, fmt.Errorf("%s answered %s: is it an appliance?", request.URL.Host, response.Status)
	}
	if err := json.NewDecoder(response.Body).Decode(&polled); err != nil {
		return nil, fmt.Errorf("%s answered something else than was expected: is it an appliance?", request.URL.Host)
	}
	return polled.Frames, nil
}
