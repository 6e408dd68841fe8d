package signal

import (
	"errors"
	"net/http"

	"praxisrelay/signal/appointment"
	"praxisrelay/signal/registry"
)

// serveStatus adds to what the program says of itself what is known here.
func (s *Server) serveStatus(w http.ResponseWriter, r *http.Request, _ caller) *refusal {
	status := s.status()
	for _, sessions := range s.rooms.count().sessions {
		status.Sessions += sessions
	}
	list, err := s.registry.List(r.Context())
	switch {
	case errors.Is(err, registry.ErrDamaged):
		s.failed("appointments cannot be read", err) // the others can
	case err != nil:
		return s.fault("the registry cannot be read", err)
	}
	now, counts := s.now(), &status.Appointments
	for _, a := range list {
		admits := a.Admits(now)
		switch {
		case a.Test: // is none
		case !a.Revoked.IsZero():
			counts.Revoked++
		case errors.Is(admits, appointment.ErrEarly):
			counts.Upcoming++
			if counts.Next.IsZero() { // they come in the order in which they open
				counts.Next = a.Opens
			}
		case errors.Is(admits, appointment.ErrOver):
			counts.Over++
		default:
			counts.Open++
		}
	}
	answer(w, http.StatusOK, status)
	return nil
}
