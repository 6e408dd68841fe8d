package journal

import "time"

// Event is something that happened to a seat, one or more times.
type Event struct {
	At    time.Time `json:"at"`             // the first time
	Last  time.Time `json:"last,omitzero"`  // the last time, if it happened again
	Times int       `json:"times,omitzero"` // how often, if it happened again
	Kind  Kind      `json:"kind"`
	Seat  string    `json:"seat,omitempty"` // empty: concerns the whole appointment
	// Over is the transport: socket or poll for signaling, udp, tcp or tls for the relay.
	Over string `json:"over,omitempty"`
	// Method and Code belong to a request that the relay refused.
	Method string `json:"method,omitempty"`
	Code   int    `json:"code,omitempty"`
	// Reason is one of the Reason constants, an error of docs/protocol.md, or a limit as named in
	// the relay's metrics.
	Reason string `json:"reason,omitempty"`
	// Unproven marks an event that anybody may have caused in the seat's name.
	Unproven bool `json:"unproven,omitempty"`
	// Address is the client's, to the extent that it may be kept.
	Address string `json:"address,omitempty"`
	// Traffic is the allocation's total when it ended.
	Traffic Traffic `json:"traffic,omitzero"`
}

// Latest returns the last time that it happened.
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
	Lost       Kind = "lost"       // the connection broke; the seat is kept
	Resumed    Kind = "resumed"    // after a loss, or over another transport
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

// Reasons of a Left without an error in docs/protocol.md.
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

// Reasons of a Refused that explanations know. The relay uses the same words for them, and has
// others for other reasons.
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

// Traffic is the traffic of an allocation.
type Traffic struct {
	Sent Flow `json:"sent"`
	// Received is from peers on the open relay. Media from the partner counts as the partner's.
	Received Flow `json:"received,omitzero"`
}

// Flow is forwarded traffic, in bytes of payload.
type Flow struct {
	Checks     uint64    `json:"checks"`  // connectivity checks, which find and maintain a path
	Answers    uint64    `json:"answers"` // to the partner's checks: it was heard
	Media      uint64    `json:"media"`
	Last       time.Time `json:"last,omitzero"` // of anything
	FirstMedia time.Time `json:"first_media,omitzero"`
	LastMedia  time.Time `json:"last_media,omitzero"`
}

// Add returns the sum of both.
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

// Allocation is a live allocation.
type Allocation struct {
	Seat    string    `json:"seat"`
	Over    string    `json:"over"`
	Address string    `json:"address,omitempty"`
	Since   time.Time `json:"since"`
	// Permitted means that the partner's allocation may be reached, and sends.
	Permitted bool    `json:"permitted"`
	Traffic   Traffic `json:"traffic"`
}

// Session is a live session of signaling.
type Session struct {
	Seat     string `json:"seat"`
	Over     string `json:"over"` // socket, poll or away
	Admitted bool   `json:"admitted"`
}
