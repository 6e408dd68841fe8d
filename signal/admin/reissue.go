package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/code"
	"praxisrelay/signal/limit"
	"praxisrelay/signal/registry"
	"praxisrelay/signal/seal"
)

// A seat's new code must lead to the room key, which is stored only as wrapped under the seats'
// codes. So the caller either unwraps the key and wraps it again, or shows another seat's code to
// the server, which then does so. If no code is left, the appointment must be revoked and made
// again.

func (s *Server) getSeat(w http.ResponseWriter, r *http.Request, _ caller) *refusal {
	a, seat, refused := s.findSeat(r)
	if refused != nil {
		return refused
	}
	wrapped, err := s.pepper.Reveal(a.ID, seat.Name, seat.RoomKey)
	if err != nil {
		return s.fault("a seat cannot be read", err)
	}
	answer(w, http.StatusOK, api.SeatKey{ListedSeat: listedSeat(seat, s.signaling.Seated(a.ID)), RoomKey: wrapped})
	return nil
}

func (s *Server) reissueSeat(w http.ResponseWriter, r *http.Request, from caller) *refusal {
	body, refused := readBody(w, r)
	if refused != nil {
		return refused
	}
	var n api.NewCode
	if refused := decodeBody(body, &n); refused != nil {
		return refused
	}
	a, seat, refused := s.findSeat(r)
	if refused != nil {
		return refused
	}
	var next appointment.Seat
	reissued := api.ReissuedSeat{Name: seat.Name, SealedBy: api.ByCaller}
	switch {
	case n.With == nil:
		next, refused = s.takeSeat(a.ID, api.NewSeat{Name: seat.Name, Verifier: n.Verifier, RoomKey: n.RoomKey})
	case n.Verifier != nil || n.RoomKey != nil:
		refused = invalidKind.says("with: not together with verifier and room_key", "send the one or the others")
	default:
		var room seal.RoomKey
		if room, refused = s.openRoom(r.Context(), from, a, seat.Name, *n.With); refused != nil {
			break
		}
		var made api.CodedSeat
		next, made, refused = s.makeSeat(r.Context(), a.ID, seat.Name, room)
		reissued.SealedBy, reissued.Code, reissued.Link = api.ByServer, made.Code, made.Link
	}
	if refused == nil {
		refused = s.reissue(r.Context(), a.ID, next)
	}
	if refused != nil {
		return refused
	}
	s.log.Info("a seat was given another code", "by", from.name, "seat", seat.Name, "sealed_by", reissued.SealedBy)
	answer(w, http.StatusOK, reissued)
	return nil
}

// openRoom opens the room key with the code of a seat other than the named one.
func (s *Server) openRoom(ctx context.Context, from caller, a appointment.Appointment, name string, with api.With) (room seal.RoomKey, _ *refusal) {
	other, err := a.Seat(with.Seat)
	if err != nil || with.Seat == name {
		return room, invalidKind.says("with.seat: not another seat of the appointment", "name the seat whose code you show")
	}
	shown, err := code.Parse(with.Code)
	if err != nil {
		return room, invalidKind.says("with.code: not a code", "check what was typed")
	}
	if wait := s.shown.wait(s.now(), from); wait > 0 {
		return room, s.limitedToken(from, wait)
	}
	wrapped, err := s.pepper.Reveal(a.ID, other.Name, other.RoomKey)
	if err != nil {
		return room, s.fault("a seat cannot be read", err)
	}
	keys, refused := s.derive(ctx, shown)
	if refused != nil {
		return room, refused
	}
	room, err = seal.Unwrap(keys.SealKey, a.ID, other.Name, wrapped)
	if wait := s.shown.judge(s.now(), from, err == nil); wait > 0 {
		return seal.RoomKey{}, s.limitedToken(from, wait)
	}
	if err != nil {
		return room, wrongCodeKind.says("with.code: not the code of this seat",
			"check what was typed; where no code is left, revoke the appointment and make another")
	}
	return room, nil
}

func (s *Server) limitedToken(from caller, wait time.Duration) *refusal {
	s.signaling.Limited(limit.WrongCodes)
	s.log.Warn("guessing is refused to a token", "guessed", "codes", "by", from.name)
	return limitedKind.says("too many wrong codes were shown with this token", "wait before you try again").after(wait)
}

// reissue gives the seat its new code, and ends everything that the old one opened.
func (s *Server) reissue(ctx context.Context, id string, next appointment.Seat) *refusal {
	a, err := s.registry.Reissue(ctx, id, next, s.now())
	switch {
	case errors.Is(err, appointment.ErrUnknown):
		return ended() // in the meantime
	case errors.Is(err, registry.ErrExists):
		return existsKind.says("there is a seat with this code already", "make another code")
	case err != nil:
		return s.unwritten("a seat cannot be reissued", err)
	}
	s.signaling.Reissued(a, next.Name)
	return nil
}

// findSeat returns the seat in a request's path; its appointment must not be over.
func (s *Server) findSeat(r *http.Request) (appointment.Appointment, appointment.Seat, *refusal) {
	a, refused := s.find(r)
	if refused != nil {
		return a, appointment.Seat{}, refused
	}
	if state := a.State(s.now()); state == appointment.Revoked || state == appointment.Over {
		return a, appointment.Seat{}, ended()
	}
	seat, err := a.Seat(r.PathValue("seat"))
	if err != nil {
		return a, seat, seatKind.says("the appointment has no such seat", "use a name that GET /v1/appointments/{id} shows")
	}
	return a, seat, nil
}

func ended() *refusal {
	return endedKind.says("the appointment is over or revoked", "make another appointment")
}
