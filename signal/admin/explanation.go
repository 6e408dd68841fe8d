package admin

import (
	"net/http"

	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/explain"
	"praxisrelay/signal/journal"
)

// getExplanation answers with everything known about an appointment, and the verdict.
func (s *Server) getExplanation(w http.ResponseWriter, r *http.Request, _ caller) *refusal {
	a, refused := s.find(r)
	if refused != nil {
		return refused
	}
	known, forgotten := s.signaling.Case(a)
	answer(w, http.StatusOK, api.ExplainedAppointment{
		ID: a.ID, Ref: a.Ref, Opens: a.Opens, Closes: a.Closes, Explanation: explain.Explain(known).Told(),
		Events: append([]journal.Event{}, known.Events...), Forgotten: forgotten,
		Sessions: known.Sessions, Allocations: append([]journal.Allocation{}, known.Allocations...),
	})
	return nil
}
