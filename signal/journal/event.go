package journal

import "time"

// Event is something that happened to a seat, once or several times.
type Event struct {
	At    time.Time `json:"at"`             // the first time
	Last  time.Time `json:"last,omitzero"`  // the last time, where it happened again
	Times int       `json:"times,omitzero"` // how often, where it happened again
	Kind  Kind      `json:"kind"`
	Seat  string    `json:"seat,omitempty"` // none: it is about the appointment
	// Over is what carried it: socket or poll for signaling, udp, tcp or tls for the relay.
	Over string `json:"over,omitempty"`
	// Method and Code are those of a request that the relay refused.
	Method string `json:"method,omitempty"`
	Code   int    `json:"code,omitempty"`
	// Reason is one of the Reason constants, an error of docs/protocol.md, or a limit of
	// the relay as in its metrics.
	Reason string `json:"reason,omitempty"`
	// Unproven says that anybody may have named the seat: nothing showed that it was them.
	Unproven bool `json:"unproven,omitempty"`
	// Address is the client's, as far as it may be kept.
	Address string `json:"address,omitempty"`
	// Traffic is what an allocation carried until it ended.
	Traffic Traffic `json:"traffic,omitzero"`
}

// Latest is when it last happened.
func (e Event) Latest() time.Time {
	if e.Last.IsZero() {
		return e.At
	}
	return e.Last
}

// Kind is what happened.
type Kind string

// The kinds, of signaling first and then of the relay.
const (
	Joined     Kind = "joined"
	NotJoined  Kind = "not-joined" // refused although the code is right; Reason says why
	Replaced   Kind = "replaced"   // the code was used elsewhere
	Lost       Kind = "lost"       // the connection ended without a word; the seat is kept
	Resumed    Kind = "resumed"    // after it was lost, or over another way
	Left       Kind = "left"       // the seat was given up, or taken; Reason says why
	Admitted   Kind = "admitted"
	Credential Kind = "credential" // for the relay
	Reissued   Kind = "reissued"   // the seat has another code
	Revoked    Kind = "revoked"    // the appointment

	Allocated Kind = "allocated"
	Permitted Kind = "permitted" // the partner's allocation may be reached, and sends
	Refused   Kind = "refused"   // a request to the relay
	Ended     Kind = "ended"     // an allocation; Reason says why
)

// Reasons of a Left that docs/protocol.md has no error for.
const (
	HungUp = "hung-up"
	Away   = "away" // for too long
)

// Reasons of an Ended.
const (
	Released   = "released" // by the client
	Expired    = "expired"  // it was not refreshed
	MaxSession = "max_session"
	StreamLost = "stream_lost" // the connection that it was on
)

// Reasons of a Refused that explanations know. The relay has the same words for them, and others
// for other reasons.
const (
	WrongPassword = "wrong_password" // 401
	OldCredential = "expired"        // 401
	Withdrawn     = "revoked"        // 401
	LimitTotal    = "max_allocations"
	LimitNetwork  = "max_per_prefix"
	LimitPorts    = "ports"
	LimitPeers    = "peers_per_allocation"
	Draining      = "draining"
)

// Traffic is what an allocation carried.
type Traffic struct {
	Sent Flow `json:"sent"`
	// Received is what peers of the open relay sent to it. What the partner sent is the
	// partner's.
	Received Flow `json:"received,omitzero"`
}

// Flow is what was forwarded, in bytes of payload.
type Flow struct {
	Checks     uint64    `json:"checks"`  // by which a way is looked for, and secured
	Answers    uint64    `json:"answers"` // to checks of the partner: it was heard
	Media      uint64    `json:"media"`
	Last       time.Time `json:"last,omitzero"` // of anything
	FirstMedia time.Time `json:"first_media,omitzero"`
	LastMedia  time.Time `json:"last_media,omitzero"`
}

// Add returns both together.
func (f Flow) Add(other Flow) Flow {
	f.Checks += other.Checks
	f.Answers += other.Answers
	f.Media += other.Media
	f.Last = later(f.Last, other.Last)
	f.LastMedia = later(f.LastMedia, other.LastMedia)
	if f.FirstMedia.IsZero() || !other.FirstMedia.IsZero() && other.FirstMedia.Before(f.FirstMedia) {
		f.FirstMedia = other.FirstMedia
	}
	return f
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Allocation is a live one.
type Allocation struct {
	Seat    string    `json:"seat"`
	Over    string    `json:"over"`
	Address string    `json:"address,omitempty"`
	Since   time.Time `json:"since"`
	// Permitted says that the partner's allocation may be reached, and sends.
	Permitted bool    `json:"permitted"`
	Traffic   Traffic `json:"traffic"`
}

// Session is a live one of signaling.
type Session struct {
	Seat     string `json:"seat"`
	Over     string `json:"over"` // socket, poll or away
	Admitted bool   `json:"admitted"`
}
