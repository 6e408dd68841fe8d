package protocol

import (
	"time"

	"praxisrelay/signal/journal"
)

// Explanation is why a call does not come about, as far as the server can tell.
type Explanation struct {
	Cause string `json:"cause"` // docs/explain.md lists them
	// Side is where it lies: patient, doctor, appliance or nobody.
	Side string `json:"side"`
	Seat string `json:"seat,omitempty"` // whom the text is about
	// Text is a sentence or two for people, by language: de and en.
	Text map[string]string `json:"text"`
}

// ExplainedAppointment is the answer of GET /v1/appointments/{id}/explanation.
type ExplainedAppointment struct {
	ID     string    `json:"id"`
	Ref    string    `json:"ref,omitempty"`
	Opens  time.Time `json:"opens"`
	Closes time.Time `json:"closes"`
	Explanation
	// Events are what the server remembers, in order. Forgotten made room for them.
	Events      []journal.Event      `json:"events"`
	Forgotten   int                  `json:"forgotten"`
	Sessions    []journal.Session    `json:"sessions"`
	Allocations []journal.Allocation `json:"allocations"`
}
