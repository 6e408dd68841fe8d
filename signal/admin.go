package signal

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"praxisrelay/signal/appointment"
	"praxisrelay/signal/protocol"
)

// AdminHandler serves the commands. Who reaches it may do everything: it belongs
// on a unix socket that only administrators can open.
func (s *Server) AdminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/info", s.serveInfo)
	mux.HandleFunc("GET /v1/appointments", s.listAppointments)
	mux.HandleFunc("POST /v1/appointments", s.createAppointment)
	mux.HandleFunc("DELETE /v1/appointments/{id}", s.revokeAppointment)
	return mux
}

func (s *Server) createAppointment(w http.ResponseWriter, r *http.Request) {
	a, err := s.decodeAppointment(http.MaxBytesReader(w, r.Body, 16<<10))
	if err == nil {
		err = a.Validate()
	}
	if err != nil {
		problem(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	if !s.now().Before(a.Closes) {
		problem(w, http.StatusUnprocessableEntity, "closes: the appointment would be over already")
		return
	}
	switch err := s.registry.Create(r.Context(), a); {
	case errors.Is(err, appointment.ErrExists):
		problem(w, http.StatusConflict, err.Error())
	case err != nil:
		s.log.Error("an appointment cannot be kept", "error", err)
		problem(w, http.StatusInternalServerError, "the registry cannot be written: see the server's log")
	default:
		answer(w, http.StatusCreated, s.listed(a))
	}
}

func (s *Server) decodeAppointment(body io.Reader) (appointment.Appointment, error) {
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	var n protocol.NewAppointment
	if err := d.Decode(&n); err != nil {
		return appointment.Appointment{}, errors.New("the body is not the JSON that was expected")
	}
	a := appointment.Appointment{ID: n.ID, Opens: n.Opens.UTC(), Closes: n.Closes.UTC(), Created: s.now().UTC()}
	for _, seat := range n.Seats {
		if len(seat.Verifier) != 32 {
			return a, errors.New("verifier: 32 bytes are expected")
		}
		a.Seats = append(a.Seats, appointment.Seat{
			Name:    seat.Name,
			Lookup:  s.pepper.Lookup([32]byte(seat.Verifier)),
			RoomKey: seat.RoomKey,
		})
	}
	return a, nil
}

func (s *Server) listAppointments(w http.ResponseWriter, r *http.Request) {
	list, err := s.registry.List(r.Context())
	if err != nil {
		s.log.Error("the registry cannot be read", "error", err)
		problem(w, http.StatusInternalServerError, "the registry cannot be read: see the server's log")
		return
	}
	rows := make([]protocol.ListedAppointment, 0, len(list))
	for _, a := range list {
		rows = append(rows, s.listed(a))
	}
	answer(w, http.StatusOK, rows)
}

func (s *Server) listed(a appointment.Appointment) protocol.ListedAppointment {
	return protocol.ListedAppointment{
		ID: a.ID, Opens: a.Opens, Closes: a.Closes, Revoked: !a.Revoked.IsZero(), Seated: s.rooms.seated(a.ID),
	}
}

func (s *Server) revokeAppointment(w http.ResponseWriter, r *http.Request) {
	a, err := s.registry.Revoke(r.Context(), r.PathValue("id"), s.now())
	switch {
	case errors.Is(err, appointment.ErrUnknown):
		problem(w, http.StatusNotFound, "no appointment has this id: see praxisrelay code list")
	case err != nil:
		s.log.Error("an appointment cannot be revoked", "error", err)
		problem(w, http.StatusInternalServerError, "the registry cannot be written: see the server's log")
	default:
		s.rooms.end(a.ID, protocol.Revoked, "the appointment was withdrawn")
		s.relay.Revoke(a.ID, "", a.Revoked)
		answer(w, http.StatusOK, s.listed(a))
	}
}

func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(protocol.Problem{Title: http.StatusText(status), Status: status, Detail: detail})
}
