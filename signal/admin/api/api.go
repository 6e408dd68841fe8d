// Package api defines the requests and answers of the admin API, as documented in
// docs/openapi.yaml, and, in operation.go, those that the program serves itself for its commands.
package api

import (
	"time"

	"praxisrelay/signal/appointment"
	"praxisrelay/signal/journal"
	"praxisrelay/signal/protocol"
	"praxisrelay/signal/token"
)

// NewAppointment is the body of POST /v1/appointments. With an id and seats it was sealed by the
// caller, who made the codes: the server gets only their verifiers and the room key wrapped for
// each. Otherwise, the server makes all of that and returns the codes.
type NewAppointment struct {
	ID  string `json:"id,omitempty"`
	Ref string `json:"ref,omitempty"` // the caller's own name for it; must not describe a person
	// Opens and Closes are pointers, so that a time in the year 1 differs from an omitted one.
	Opens  *time.Time `json:"opens,omitempty"`
	Closes *time.Time `json:"closes,omitempty"` // none: 24 hours after opens
	Seats  []NewSeat  `json:"seats,omitempty"`
	// Test asks for a code to check a network with, not for an appointment between people: it has
	// the single seat "test", opens now by default, and closes half an hour later.
	Test bool `json:"test,omitempty"`
}

// NewSeat is a seat of a NewAppointment.
type NewSeat struct {
	Name     string `json:"name"`
	Verifier []byte `json:"verifier"` // SHA-256 of the join token
	RoomKey  []byte `json:"room_key"`
}

// Values of who sealed an appointment, and so has seen its codes.
const (
	ByCaller = "caller"
	ByServer = "server"
)

// CreatedAppointment is the answer of POST /v1/appointments.
type CreatedAppointment struct {
	ID       string    `json:"id"`
	Ref      string    `json:"ref,omitempty"`
	Opens    time.Time `json:"opens"`
	Closes   time.Time `json:"closes"`
	SealedBy string    `json:"sealed_by"`
	// Seats has the codes, if the server made them.
	Seats []CodedSeat `json:"seats,omitempty"`
	Test  bool        `json:"test,omitempty"`
}

// CodedSeat is a seat whose code the server made, and forgets once it is returned.
type CodedSeat struct {
	Name string `json:"name"`
	Code string `json:"code"`
	Link string `json:"link"`
}

// ListedAppointment is a row of GET /v1/appointments.
type ListedAppointment struct {
	ID      string       `json:"id"`
	Ref     string       `json:"ref,omitempty"`
	Opens   time.Time    `json:"opens"`
	Closes  time.Time    `json:"closes"`
	Created time.Time    `json:"created"`
	Revoked bool         `json:"revoked"`
	Seats   []ListedSeat `json:"seats"` // none of a revoked one
	Test    bool         `json:"test,omitempty"`
}

// State returns the appointment's state by the caller's clock.
func (a ListedAppointment) State(now time.Time) appointment.State {
	return appointment.StateAt(now, a.Opens, a.Closes, a.Revoked)
}

// ListedSeat is a seat of a ListedAppointment.
type ListedSeat struct {
	Name    string `json:"name"`
	Used    bool   `json:"used"`    // its current code has been used to join
	Present bool   `json:"present"` // a session holds it
}

// SeatKey is the answer of GET /v1/appointments/{id}/seats/{seat}: the key that the holder of the
// seat's code needs to give another seat a new one.
type SeatKey struct {
	ListedSeat
	RoomKey []byte `json:"room_key"`
}

// NewCode is the body of PUT /v1/appointments/{id}/seats/{seat}: a code made by the caller, or the
// code of another seat so that the server can make one.
type NewCode struct {
	Verifier []byte `json:"verifier,omitempty"`
	RoomKey  []byte `json:"room_key,omitempty"`
	With     *With  `json:"with,omitempty"`
}

// With is a seat and its code.
type With struct {
	Seat string `json:"seat"`
	Code string `json:"code"`
}

// ReissuedSeat is the answer to a NewCode. Code and link are set if the server made them.
type ReissuedSeat struct {
	Name     string `json:"name"`
	SealedBy string `json:"sealed_by"`
	Code     string `json:"code,omitempty"`
	Link     string `json:"link,omitempty"`
}

// ExplainedAppointment is the answer of GET /v1/appointments/{id}/explanation.
type ExplainedAppointment struct {
	ID     string    `json:"id"`
	Ref    string    `json:"ref,omitempty"`
	Opens  time.Time `json:"opens"`
	Closes time.Time `json:"closes"`
	protocol.Explanation
	// Events are those that the server remembers, in order; Forgotten is how many made room for
	// them.
	Events      []journal.Event      `json:"events"`
	Forgotten   int                  `json:"forgotten"`
	Sessions    []journal.Session    `json:"sessions"`
	Allocations []journal.Allocation `json:"allocations"`
}

// NewToken is the body of POST /v1/tokens.
type NewToken struct {
	Name    string        `json:"name,omitempty"`
	Scopes  []token.Scope `json:"scopes"`
	Expires *time.Time    `json:"expires,omitempty"` // none: valid until revoked
}

// ListedToken is a row of GET /v1/tokens.
type ListedToken struct {
	ID      string        `json:"id"`
	Name    string        `json:"name,omitempty"`
	Scopes  []token.Scope `json:"scopes"`
	Created time.Time     `json:"created"`
	Expires time.Time     `json:"expires,omitzero"`
}

// CreatedToken is the answer of POST /v1/tokens, the only time that the token is shown.
type CreatedToken struct {
	ListedToken
	Token string `json:"token"`
}

// Problem is an error of the admin API (RFC 9457).
type Problem struct {
	Type   string `json:"type"` // docs/admin-api.md lists them
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy"` // what to do
}

func (p Problem) Error() string { return p.Detail + ": " + p.Remedy }
