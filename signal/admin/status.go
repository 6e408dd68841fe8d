package admin

import (
	"errors"
	"net/http"

	"praxisrelay/signal/appointment"
	"praxisrelay/signal/registry"
)

// serveStatus completes the program's status with sessions and appointments.
func (s *Server) serveStatus(w http.ResponseWriter, r *http.Request, _ caller) *refusal {
	status := s.status()
	status.Sessions = s.signaling.Sessions()
	list, err := s.registry.List(r.Context())
	switch {
	case errors.Is(err, registry.ErrDamaged):
		s.signaling.Failed("appointments cannot be read", err) // the rest can
	case err != nil:
		return s.fault("the registry cannot be read", err)
	}
	now, counts := s.now(), &status.Appointments
	for _, a := range list {
		if a.Test {
			continue // a test is no appointment
		}
		switch a.State(now) {
		case appointment.Revoked:
			counts.Revoked++
		case appointment.Upcoming:
			counts.Upcoming++
			if counts.Next.IsZero() { // they come in order of opening
				counts.Next = a.Opens
			}
		case appointment.Over:
			counts.Over++
		case appointment.Open:
			counts.Open++
		}
	}
	answer(w, http.StatusOK, status)
	return nil
}
