package signal

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"time"

	"github.com/coder/websocket"

	"praxisrelay/signal/appointment"
	"praxisrelay/signal/code"
	"praxisrelay/signal/protocol"
)

const (
	// joinTime is how long a client may take to its first frame.
	joinTime = 10 * time.Second
	// pingInterval keeps middleboxes from forgetting the connection, and finds
	// clients that are gone.
	pingInterval = 25 * time.Second
	// writeTime is how long a frame may take to be sent.
	writeTime = 10 * time.Second
)

// serveSignal is GET /v1/signal.
func (s *Server) serveSignal(w http.ResponseWriter, request *http.Request) {
	client, err := netip.ParseAddrPort(request.RemoteAddr)
	if err != nil {
		http.Error(w, "the client's address is unknown", http.StatusInternalServerError)
		return
	}
	socket, err := websocket.Accept(w, request, &websocket.AcceptOptions{
		Subprotocols:    []string{protocol.Subprotocol},
		CompressionMode: websocket.CompressionDisabled, // sealed messages do not compress
	})
	if err != nil {
		return // Accept has answered
	}
	defer socket.CloseNow()
	if socket.Subprotocol() != protocol.Subprotocol {
		socket.Close(websocket.StatusPolicyViolation, "the subprotocol "+protocol.Subprotocol+" is required")
		return
	}
	socket.SetReadLimit(protocol.MaxFrame)
	// The context outlives converse: cancelling a read closes the socket, and the
	// client would not learn why its session ends.
	ctx, cancel := context.WithCancel(request.Context())
	defer cancel()
	if failure := s.converse(ctx, socket, client.Addr().Unmap()); failure != nil {
		if write(ctx, socket, protocol.FromServer{Error: failure}) == nil {
			socket.Close(websocket.StatusPolicyViolation, string(failure.Code))
		}
	}
}

// converse lets a client join and serves its session. It returns why the session
// has to end, or nil when the client is gone.
func (s *Server) converse(ctx context.Context, socket *websocket.Conn, client netip.Addr) *protocol.Error {
	joining, joined := context.WithTimeout(ctx, joinTime)
	frame, failure := read(joining, socket)
	joined()
	switch {
	case failure != nil:
		return failure
	case frame == nil:
		return nil
	case frame.Join == nil:
		return badRequest("the first frame must be a join")
	}
	session, welcome, failure := s.join(ctx, client, *frame.Join)
	if failure != nil {
		return failure
	}
	s.rooms.join(session, welcome)
	defer s.rooms.leave(session)
	if _, _, err := s.registry.Find(ctx, session.lookup); err != nil {
		// Revoked since the join looked, when there was no session to tell yet.
		session.stop(protocol.Revoked, "the appointment was withdrawn")
	}

	reading := make(chan *protocol.Error, 1)
	go func() { reading <- s.readSession(ctx, socket, session) }()
	ping := time.NewTicker(pingInterval)
	defer ping.Stop()
	for {
		var err error
		select {
		case frame := <-session.out:
			err = write(ctx, socket, frame)
		case <-ping.C:
			err = pinged(ctx, socket)
		case end := <-session.end:
			return &end
		case failure := <-reading:
			return failure
		case <-s.stopping:
			return &protocol.Error{Code: protocol.Unavailable, Message: "the server stops: join again in a moment"}
		}
		if err != nil {
			return nil
		}
	}
}

// readSession takes frames from a seated client until it is gone or misbehaves.
func (s *Server) readSession(ctx context.Context, socket *websocket.Conn, session *session) *protocol.Error {
	for {
		frame, failure := read(ctx, socket)
		switch {
		case failure != nil || frame == nil:
			return failure
		case frame.Send == nil:
			return badRequest("after the join only send frames are expected")
		case !s.rooms.carry(session, *frame.Send):
			session.deliver(protocol.FromServer{Error: &protocol.Error{
				Code: protocol.Absent, Message: "the session that the message was for is gone",
			}})
		}
	}
}

// join finds the seat that a token opens.
func (s *Server) join(ctx context.Context, client netip.Addr, join protocol.Join) (*session, protocol.Welcome, *protocol.Error) {
	now := s.now()
	var welcome protocol.Welcome
	if wait := s.guesses.wait(now, client); wait > 0 {
		return nil, welcome, &protocol.Error{
			Code:       protocol.Limited,
			Message:    "too many wrong codes from this network",
			RetryAfter: int(wait/time.Second) + 1,
		}
	}
	if epoch, err := base64.RawURLEncoding.DecodeString(join.Epoch); err != nil || len(epoch) != 16 {
		return nil, welcome, badRequest("join.epoch must be 16 random bytes in base64url without padding")
	}
	// A token of another length is as wrong as any other, and costs the same.
	var token [32]byte
	malformed := copy(token[:], join.Token) != len(token) || len(join.Token) != len(token)
	found, seat, err := s.registry.Find(ctx, s.pepper.Lookups(code.Verifier(token))...)
	if err == nil && malformed {
		err = appointment.ErrUnknown
	}
	if err == nil {
		err = found.Admits(now)
	}
	switch {
	case errors.Is(err, appointment.ErrUnknown):
		s.guesses.fail(now, client)
		return nil, welcome, &protocol.Error{Code: protocol.UnknownCode, Message: "no appointment has this code"}
	case errors.Is(err, appointment.ErrEarly):
		return nil, welcome, &protocol.Error{Code: protocol.TooEarly, Message: "the appointment has not begun", Opens: &found.Opens}
	case errors.Is(err, appointment.ErrOver):
		return nil, welcome, &protocol.Error{Code: protocol.Over, Message: "the appointment is over"}
	case err != nil:
		s.log.Error("the registry cannot be read", "error", err)
		return nil, welcome, &protocol.Error{Code: protocol.Unavailable, Message: "the server has a fault: try again later"}
	}
	servers, expires, err := s.relay.ICEServers(found.ID, seat.Name)
	if err != nil {
		s.log.Error("no TURN credential can be made", "error", err)
		return nil, welcome, &protocol.Error{Code: protocol.Unavailable, Message: "the server has a fault: try again later"}
	}
	s.registry.MarkUsed(ctx, seat.Lookup)
	return newSession(found.ID, seat, join.Epoch), protocol.Welcome{
		Appointment: found.ID,
		Seat:        seat.Name,
		Opens:       found.Opens,
		Closes:      found.Closes,
		RoomKey:     seat.RoomKey,
		ICEServers:  servers,
		Expires:     expires,
	}, nil
}

func badRequest(message string) *protocol.Error {
	return &protocol.Error{Code: protocol.BadRequest, Message: message}
}

// read returns the next frame, or nil when the client is gone.
func read(ctx context.Context, socket *websocket.Conn) (*protocol.FromClient, *protocol.Error) {
	kind, text, err := socket.Read(ctx)
	switch {
	case errors.Is(err, websocket.ErrMessageTooBig):
		return nil, badRequest("a frame has at most 16384 bytes")
	case errors.Is(err, context.DeadlineExceeded):
		return nil, badRequest("no join came in time")
	case err != nil:
		return nil, nil
	case kind != websocket.MessageText:
		return nil, badRequest("frames are text")
	}
	frame, err := decodeFrame(text)
	if err != nil {
		return nil, badRequest(err.Error())
	}
	return frame, nil
}

// decodeFrame reads a client's frame strictly. Its errors repeat nothing of the frame.
func decodeFrame(text []byte) (*protocol.FromClient, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var frame protocol.FromClient
	if d.Decode(&frame) != nil || (frame.Join == nil) == (frame.Send == nil) {
		return nil, errors.New("a frame is a JSON object with one member, join or send, as docs/protocol.md describes")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("a frame is one JSON object, and nothing behind it")
	}
	return &frame, nil
}

func write(ctx context.Context, socket *websocket.Conn, frame protocol.FromServer) error {
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	text, err := json.Marshal(frame)
	if err != nil {
		return err
	}
	return socket.Write(ctx, websocket.MessageText, text)
}

func pinged(ctx context.Context, socket *websocket.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	return socket.Ping(ctx)
}
