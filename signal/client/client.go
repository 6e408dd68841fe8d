// Package client joins appointments as the page does: it stretches a code, takes
// the seat, unwraps the room key, and exchanges sealed messages.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"praxisrelay/signal/code"
	"praxisrelay/signal/protocol"
	"praxisrelay/signal/seal"
)

// Session is a seat that is held. Receive and Send may be used by one goroutine each.
type Session struct {
	Welcome protocol.Welcome

	socket *websocket.Conn
	key    seal.RoomKey
	epoch  string
	sent   map[string]uint64 // epoch of the receiver -> next number
	got    map[string]uint64 // epoch of the sender -> next number
}

// Join takes the seat of a code on the appliance at server, an https URL. An error
// that the appliance answers is a *protocol.Error.
func Join(ctx context.Context, client *http.Client, server string, c code.Code) (*Session, error) {
	info, err := GetInfo(ctx, client, server)
	if err != nil {
		return nil, err
	}
	if info.Rounds < code.MinRounds || info.Rounds > 100*code.Rounds {
		return nil, fmt.Errorf("%s wants codes stretched with %d rounds: not an appliance to trust a code to", server, info.Rounds)
	}
	keys, err := c.Derive(info.Salt, info.Rounds)
	if err != nil {
		return nil, err
	}
	return JoinWithKeys(ctx, client, server, keys)
}

// JoinWithKeys is Join with a code that was stretched before.
func JoinWithKeys(ctx context.Context, client *http.Client, server string, keys code.Keys) (*Session, error) {
	target, err := endpoint(server, "/v1/signal")
	if err != nil {
		return nil, err
	}
	socket, _, err := websocket.Dial(ctx, target, &websocket.DialOptions{
		HTTPClient:   client,
		Subprotocols: []string{protocol.Subprotocol},
	})
	if err != nil {
		return nil, fmt.Errorf("no WebSocket to %s: %w", server, err)
	}
	socket.SetReadLimit(2 * protocol.MaxFrame)
	s := &Session{socket: socket, epoch: seal.NewEpoch(), sent: map[string]uint64{}, got: map[string]uint64{}}
	if err := s.join(ctx, keys); err != nil {
		socket.CloseNow()
		return nil, err
	}
	return s, nil
}

func (s *Session) join(ctx context.Context, keys code.Keys) error {
	join := protocol.FromClient{Join: &protocol.Join{Token: keys.JoinToken[:], Epoch: s.epoch}}
	if err := wsjson.Write(ctx, s.socket, join); err != nil {
		return err
	}
	var frame protocol.FromServer
	if err := wsjson.Read(ctx, s.socket, &frame); err != nil {
		return err
	}
	switch {
	case frame.Error != nil:
		return frame.Error
	case frame.Welcome == nil:
		return errors.New("the server did not answer the join")
	}
	s.Welcome = *frame.Welcome
	var err error
	s.key, err = seal.Unwrap(keys.SealKey, s.Welcome.Appointment, s.Welcome.Seat, s.Welcome.RoomKey)
	return err
}

// Event is what Receive returns: exactly one member is set.
type Event struct {
	Joined, Left *protocol.Present
	Message      *Message
}

// Message is a message from another seat, opened.
type Message struct {
	From  protocol.Present
	Plain []byte
}

// Receive waits for the next event. A *protocol.Error is the server's; any but
// Absent ends the session. A message that was not sealed for this session is
// [seal.ErrOpen].
func (s *Session) Receive(ctx context.Context) (Event, error) {
	var frame protocol.FromServer
	if err := wsjson.Read(ctx, s.socket, &frame); err != nil {
		return Event{}, err
	}
	switch {
	case frame.Error != nil:
		return Event{}, frame.Error
	case frame.Message != nil:
		message, err := s.open(*frame.Message)
		return Event{Message: message}, err
	}
	return Event{Joined: frame.Joined, Left: frame.Left}, nil
}

func (s *Session) open(m protocol.Message) (*Message, error) {
	if m.Seq < s.got[m.Epoch] {
		return nil, seal.ErrOpen
	}
	plain, err := s.key.Open(seal.Place{
		Appointment: s.Welcome.Appointment,
		From:        m.From, To: s.Welcome.Seat,
		FromEpoch: m.Epoch, ToEpoch: s.epoch,
		Seq: m.Seq,
	}, m.Sealed)
	if err != nil {
		return nil, err
	}
	s.got[m.Epoch] = m.Seq + 1
	return &Message{protocol.Present{Seat: m.From, Epoch: m.Epoch}, plain}, nil
}

// Send seals a message for another session and sends it.
func (s *Session) Send(ctx context.Context, to protocol.Present, plain []byte) error {
	seq := s.sent[to.Epoch]
	s.sent[to.Epoch] = seq + 1
	sealed := s.key.Seal(seal.Place{
		Appointment: s.Welcome.Appointment,
		From:        s.Welcome.Seat, To: to.Seat,
		FromEpoch: s.epoch, ToEpoch: to.Epoch,
		Seq: seq,
	}, plain)
	return wsjson.Write(ctx, s.socket, protocol.FromClient{
		Send: &protocol.Send{To: to.Seat, Epoch: to.Epoch, Seq: seq, Sealed: sealed},
	})
}

// Close leaves the seat.
func (s *Session) Close() error { return s.socket.Close(websocket.StatusNormalClosure, "") }

// GetInfo asks the appliance what a client must know.
func GetInfo(ctx context.Context, client *http.Client, server string) (info protocol.Info, err error) {
	target, err := endpoint(server, "/v1/info")
	if err != nil {
		return info, err
	}
	return info, call(ctx, client, http.MethodGet, target, nil, &info)
}

func endpoint(server, path string) (string, error) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return "", fmt.Errorf("%q is not the address of an appliance: write https:// and its name", server)
	}
	return u.Scheme + "://" + u.Host + path, nil
}

// call makes one JSON request. An error answer becomes a protocol.Problem. out may be
// an io.Writer, which gets the answer as it is, or nil where there is none.
func call(ctx context.Context, client *http.Client, method, target string, body io.Reader, out any) error {
	request, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	const most = 16 << 20 // a list of all appointments
	d := json.NewDecoder(io.LimitReader(response.Body, most))
	if strings.HasPrefix(response.Header.Get("Content-Type"), "application/problem+json") {
		var problem protocol.Problem
		if err := d.Decode(&problem); err != nil {
			return err
		}
		return problem
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s answered %s: is it an appliance?", request.URL.Host, response.Status)
	}
	switch out := out.(type) {
	case nil:
		return nil
	case io.Writer:
		_, err := io.Copy(out, response.Body)
		return err
	}
	if err := d.Decode(out); err != nil {
		return fmt.Errorf("%s answered something else than was expected: is it an appliance?", request.URL.Host)
	}
	return nil
}
