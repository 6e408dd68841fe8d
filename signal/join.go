package signal

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"praxisrelay/signal/appointment"
	"praxisrelay/signal/code"
	"praxisrelay/signal/journal"
	"praxisrelay/signal/limit"
	"praxisrelay/signal/protocol"
)

const (
	faulty      = "the server has a fault: try again later"
	unknownCode = "no appointment has this code"
)

// open takes a client's first frame on a transport: a join or a resume. If the session has ended
// meanwhile, the error is the reason.
func (s *Server) open(ctx context.Context, client netip.Addr, over transport, frame protocol.FromClient) (*session, *link, *protocol.Error) {
	switch {
	case frame.Resume != nil:
		return s.rooms.resume(s.now(), over, *frame.Resume)
	case frame.Join == nil:
		return nil, nil, badRequest("the first frame must be a join or a resume")
	}
	began := s.now()
	session, link, failure := s.join(ctx, client, over, *frame.Join)
	s.metrics.joined(s.now().Sub(began), failure)
	return session, link, failure
}

func (s *Server) join(ctx context.Context, client netip.Addr, over transport, join protocol.Join) (*session, *link, *protocol.Error) {
	session, welcome, failure := s.admit(ctx, client, over, join)
	if failure != nil {
		return nil, nil, failure
	}
	session.transport, session.address = over, s.journal.Shown(client)
	link, failure := s.rooms.join(s.now(), session, welcome, func() *protocol.Error { return s.refuses(ctx, session) })
	if failure != nil {
		s.notJoined(session.appointment, session.seat, over, session.address, failure.Code)
	}
	return session, link, failure
}

// notJoined records that a right code did not open its seat.
func (s *Server) notJoined(appointment, seat string, over transport, address string, why protocol.Code) {
	s.journal.Note(appointment, journal.Event{
		Kind: journal.NotJoined, Seat: seat, Over: string(over), Reason: string(why), Address: address,
	})
}

// refuses returns the reason why a newly admitted session may no longer exist.
func (s *Server) refuses(ctx context.Context, session *session) *protocol.Error {
	switch _, _, err := s.registry.Find(ctx, session.lookup); {
	case errors.Is(err, appointment.ErrUnknown):
		return &protocol.Error{Code: protocol.UnknownCode, Message: unknownCode}
	case err != nil:
		return &protocol.Error{Code: protocol.Unavailable, Message: faulty}
	}
	return s.maintenance(session.appointment)
}

// admit finds the seat that a token opens.
func (s *Server) admit(ctx context.Context, client netip.Addr, over transport, join protocol.Join) (*session, protocol.Welcome, *protocol.Error) {
	now := s.now()
	var welcome protocol.Welcome
	if !isEpoch(join.Epoch) {
		return nil, welcome, badRequest("join.epoch must be 16 random bytes in base64url without padding")
	}
	// A token of the wrong length is simply wrong, and costs the same.
	var token [32]byte
	malformed := copy(token[:], join.Token) != len(token) || len(join.Token) != len(token)
	lookups := s.pepper.Lookups(code.Verifier(token))
	if wait := s.guesses.Wait(now, client, lookups[0]); wait > 0 {
		return nil, welcome, s.limited(client, wait)
	}
	found, seat, err := s.registry.Find(ctx, lookups...)
	if err == nil && malformed {
		err = appointment.ErrUnknown
	}
	if err == nil || errors.Is(err, appointment.ErrUnknown) { // a fault is nobody's guess
		if wait := s.guesses.Judge(s.now(), client, lookups[0], err == nil); wait > 0 {
			return nil, welcome, s.limited(client, wait)
		}
	}
	switch {
	case errors.Is(err, appointment.ErrUnknown):
		return nil, welcome, &protocol.Error{Code: protocol.UnknownCode, Message: unknownCode}
	case err != nil:
		s.Failed("the registry cannot be read", err)
		return nil, welcome, &protocol.Error{Code: protocol.Unavailable, Message: faulty}
	}
	s.journal.Begin(found.ID, found.Ends())
	switch found.State(now) {
	case appointment.Upcoming:
		s.notJoined(found.ID, seat.Name, over, s.journal.Shown(client), protocol.TooEarly)
		return nil, welcome, &protocol.Error{Code: protocol.TooEarly, Message: "the appointment has not begun", Opens: &found.Opens}
	case appointment.Over:
		s.notJoined(found.ID, seat.Name, over, s.journal.Shown(client), protocol.Over)
		return nil, welcome, &protocol.Error{Code: protocol.Over, Message: "the appointment is over"}
	}
	if failure := s.maintenance(found.ID); failure != nil {
		return nil, welcome, failure
	}
	apart := join.Check || found.Test
	if !apart {
		s.registry.MarkUsed(ctx, seat.Lookup)
	}
	wrapped, err := s.pepper.Reveal(found.ID, seat.Name, seat.RoomKey)
	if err != nil {
		s.Failed("a seat cannot be read", err)
		return nil, welcome, &protocol.Error{Code: protocol.Unavailable, Message: faulty}
	}
	return newSession(found, seat, join.Epoch, apart), protocol.Welcome{
		Appointment: found.ID,
		Seat:        seat.Name,
		Opens:       found.Opens,
		Closes:      found.Closes,
		RoomKey:     wrapped,
	}, nil
}

// limited refuses a code from a network that has shown too many wrong ones.
func (s *Server) limited(client netip.Addr, wait time.Duration) *protocol.Error {
	s.metrics.hit(limit.WrongCodes)
	s.guesses.Report(s.log, s.now(), "codes", client)
	return &protocol.Error{Code: protocol.Limited, Message: "too many wrong codes", RetryAfter: int(wait/time.Second) + 1}
}

// makeICE makes the credential of an admitted seat, for the rooms.
func (s *Server) makeICE(holder Holder) (protocol.ICE, error) {
	servers, expires, err := s.relay.ICEServers(holder)
	if err != nil {
		s.log.Error("no TURN credential can be made", "error", err)
	}
	return protocol.ICE{Servers: servers, Expires: expires, Lifetime: int64(expires.Sub(s.now()) / time.Second)}, err
}

func badRequest(message string) *protocol.Error {
	return &protocol.Error{Code: protocol.BadRequest, Message: message}
}

func stopping() *protocol.Error {
	return &protocol.Error{Code: protocol.Unavailable, Message: "the server stops: come back in a moment"}
}
