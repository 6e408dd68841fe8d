package admin

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/registry"
)

func (s *Server) listAppointments(w http.ResponseWriter, r *http.Request, _ caller) *refusal {
	wanted, refused := readFilter(r.URL.RawQuery)
	if refused != nil {
		return refused
	}
	list, err := s.registry.List(r.Context())
	switch {
	case errors.Is(err, registry.ErrDamaged):
		s.log.Error("appointments cannot be read", "error", err) // the rest can
	case err != nil:
		return s.fault("the registry cannot be read", err)
	}
	rows := make([]api.ListedAppointment, 0, len(list))
	for _, a := range list {
		if !a.Test && wanted(a) {
			rows = append(rows, s.listed(a))
		}
	}
	answer(steady{w}, http.StatusOK, rows)
	return nil
}

// readFilter reads ?from=&until=&ref=: appointments that open at or after from and before until,
// and those with a reference. Nothing in it is ignored: if a filter got lost, the caller would take
// all appointments for the selected ones.
func readFilter(raw string) (wanted func(appointment.Appointment) bool, _ *refusal) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return nil, invalidKind.says("the query is not understood", "separate parameters by & and write other characters in percent-encoding")
	}
	var from, until time.Time
	for key, values := range query {
		if len(values) > 1 {
			return nil, invalidKind.says("a parameter is there more than once", "give each once")
		}
		var err error
		switch key {
		case "from":
			from, err = readQueryTime(values[0])
		case "until":
			until, err = readQueryTime(values[0])
		case "ref":
			if err := appointment.CheckRef(values[0]); err != nil {
				return nil, invalid(err)
			}
		default:
			return nil, invalidKind.says("a parameter is unknown", "use from, until and ref")
		}
		if err != nil {
			return nil, invalidKind.says(key+": not a time that is understood",
				"write it like 2026-12-01T09:00:00Z or 2026-12-01T10:00:00%2B01:00: a plus is %2B in a URL")
		}
	}
	return func(a appointment.Appointment) bool {
		return !a.Opens.Before(from) && (!query.Has("until") || a.Opens.Before(until)) && (!query.Has("ref") || a.Ref == query.Get("ref"))
	}, nil
}

// readQueryTime reads an RFC 3339 time. A plus that was not escaped as %2B has become a space,
// which can have been nothing else.
func readQueryTime(text string) (time.Time, error) {
	return time.Parse(time.RFC3339, strings.Replace(text, " ", "+", 1))
}

func (s *Server) getAppointment(w http.ResponseWriter, r *http.Request, _ caller) *refusal {
	a, refused := s.find(r)
	if refused != nil {
		return refused
	}
	answer(w, http.StatusOK, s.listed(a))
	return nil
}

func (s *Server) revokeAppointment(w http.ResponseWriter, r *http.Request, from caller) *refusal {
	a, err := s.registry.Revoke(r.Context(), r.PathValue("id"), s.now())
	switch {
	case errors.Is(err, appointment.ErrUnknown):
		return unknownAppointment()
	case err != nil:
		return s.unwritten("an appointment cannot be revoked", err)
	}
	s.signaling.Revoked(a)
	s.log.Info("an appointment was revoked", "by", from.name)
	answer(w, http.StatusOK, s.listed(a))
	return nil
}

// find returns the appointment in a request's path.
func (s *Server) find(r *http.Request) (appointment.Appointment, *refusal) {
	a, err := s.registry.Get(r.Context(), r.PathValue("id"))
	switch {
	case errors.Is(err, appointment.ErrUnknown):
		return a, unknownAppointment()
	case err != nil:
		return a, s.fault("an appointment cannot be read", err)
	}
	return a, nil
}

func unknownAppointment() *refusal {
	return appointmentKind.says("no appointment has this id", "see praxisrelay code list, or GET /v1/appointments")
}

func (s *Server) listed(a appointment.Appointment) api.ListedAppointment {
	listed := api.ListedAppointment{
		ID: a.ID, Ref: a.Ref, Opens: a.Opens, Closes: a.Closes, Created: a.Created,
		Revoked: !a.Revoked.IsZero(), Seats: []api.ListedSeat{}, Test: a.Test,
	}
	seated := s.signaling.Seated(a.ID)
	for _, seat := range a.Seats {
		listed.Seats = append(listed.Seats, listedSeat(seat, seated))
	}
	return listed
}

func listedSeat(seat appointment.Seat, seated []string) api.ListedSeat {
	return api.ListedSeat{Name: seat.Name, Used: seat.Used, Present: slices.Contains(seated, seat.Name)}
}
