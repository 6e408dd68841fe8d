package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/code"
	"praxisrelay/signal/registry"
	"praxisrelay/signal/seal"
)

func (s *Server) createAppointment(w http.ResponseWriter, r *http.Request, from caller) *refusal {
	body, refused := readBody(w, r)
	if refused != nil {
		return refused
	}
	once, refused := s.once(r, from, body)
	if refused != nil {
		return refused
	}
	defer once.release()
	text, refused := once.before(r.Context())
	if refused != nil {
		return refused
	}
	if text == nil {
		if text, refused = s.create(r.Context(), from, body, once); refused != nil {
			return refused
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(text)
	return nil
}

// create makes an appointment and returns the answer, which is stored along with it if the request
// may be repeated.
func (s *Server) create(ctx context.Context, from caller, body []byte, once *once) ([]byte, *refusal) {
	var n api.NewAppointment
	if refused := decodeBody(body, &n); refused != nil {
		return nil, refused
	}
	a, refused := s.window(n)
	if refused != nil {
		return nil, refused
	}
	created := api.CreatedAppointment{Ref: a.Ref, Opens: a.Opens, Closes: a.Closes, SealedBy: api.ByCaller, Test: a.Test}
	if n.ID == "" && len(n.Seats) == 0 {
		created.SealedBy = api.ByServer
		created.Seats, refused = s.makeSeats(ctx, &a)
	} else {
		a.Seats, refused = s.takeSeats(a.ID, n.Seats)
	}
	if refused != nil {
		return nil, refused
	}
	created.ID = a.ID
	if err := a.Validate(); err != nil {
		return nil, invalid(err)
	}
	text, err := json.Marshal(created)
	if err != nil {
		return nil, s.fault("an answer cannot be written", err)
	}
	switch err := s.registry.Create(ctx, a, once.answers(s.now(), text)...); {
	case errors.Is(err, registry.ErrExists):
		return nil, existsKind.says(err.Error(), "make another id and other codes")
	case err != nil:
		return nil, s.unwritten("an appointment cannot be kept", err)
	}
	s.log.Info("an appointment was made", "by", from.name, "sealed_by", created.SealedBy)
	return text, nil
}

// window returns an appointment without its seats.
func (s *Server) window(n api.NewAppointment) (a appointment.Appointment, refused *refusal) {
	length := appointment.Length
	if n.Test {
		length = appointment.TestLength
		if n.Opens == nil {
			n.Opens = new(s.now().Truncate(time.Second))
		}
	}
	if n.Opens == nil {
		return a, invalidKind.says("opens: missing", "say when the codes become valid")
	}
	if n.Closes == nil {
		n.Closes = new(n.Opens.Add(length))
	}
	a = appointment.Appointment{ID: n.ID, Ref: n.Ref, Opens: n.Opens.UTC(), Closes: n.Closes.UTC(), Created: s.now().UTC(), Test: n.Test}
	if err := a.CheckWindow(); err != nil {
		return a, invalid(err)
	}
	if a.State(s.now()) == appointment.Over {
		return a, invalidKind.says("closes: the appointment would be over already", "let it end later")
	}
	return a, nil
}

// takeSeats reads the seats that the caller sealed.
func (s *Server) takeSeats(id string, seats []api.NewSeat) (taken []appointment.Seat, _ *refusal) {
	for _, seat := range seats {
		seat, refused := s.takeSeat(id, seat)
		if refused != nil {
			return nil, refused
		}
		taken = append(taken, seat)
	}
	return taken, nil
}

func (s *Server) takeSeat(id string, n api.NewSeat) (appointment.Seat, *refusal) {
	if len(n.Verifier) != 32 {
		return appointment.Seat{}, invalidKind.says("verifier: 32 bytes are expected", "send the SHA-256 of the join token")
	}
	if err := appointment.CheckRoomKey(n.RoomKey); err != nil {
		return appointment.Seat{}, invalid(err)
	}
	return s.seat(id, n.Name, [32]byte(n.Verifier), n.RoomKey), nil
}

// makeSeats makes an appointment's id, codes and room key. The server then forgets them all, except
// for the room key as wrapped under each code.
func (s *Server) makeSeats(ctx context.Context, a *appointment.Appointment) (coded []api.CodedSeat, _ *refusal) {
	a.ID = appointment.NewID()
	room := seal.NewRoomKey()
	if a.Test {
		room = seal.TestKey(s.signaling.Info().Key)
	}
	for _, name := range a.SeatNames() {
		seat, made, refused := s.makeSeat(ctx, a.ID, name, room)
		if refused != nil {
			return nil, refused
		}
		a.Seats, coded = append(a.Seats, seat), append(coded, made)
	}
	return coded, nil
}

// makeSeat makes a seat's code and wraps the room key under it.
func (s *Server) makeSeat(ctx context.Context, id, name string, room seal.RoomKey) (seat appointment.Seat, made api.CodedSeat, _ *refusal) {
	c := code.New()
	keys, refused := s.derive(ctx, c)
	if refused != nil {
		return seat, made, refused
	}
	seat = s.seat(id, name, keys.Verifier(), room.Wrap(keys.SealKey, id, name))
	// The code follows the #, which browsers send to nobody.
	return seat, api.CodedSeat{Name: name, Code: c.Format(), Link: s.signaling.Info().URL + "#" + c.Format()}, nil
}

// seat returns the registry's record of a seat.
func (s *Server) seat(id, name string, verifier [32]byte, roomKey []byte) appointment.Seat {
	return appointment.Seat{Name: name, Lookup: s.pepper.Lookup(verifier), RoomKey: s.pepper.Hide(id, name, roomKey)}
}

func invalid(err error) *refusal { return invalidKind.says(err.Error(), "see docs/openapi.yaml") }
