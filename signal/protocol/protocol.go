// Package protocol is what a client and the signaling endpoint say to each other,
// as docs/protocol.md describes it. A frame is a JSON object with one member, whose
// name says what it is.
package protocol

import (
	"time"
)

// Subprotocol is the WebSocket subprotocol of GET /v1/signal.
const Subprotocol = "praxisrelay.v1"

// MaxFrame bounds a frame in bytes, from either side.
const MaxFrame = 16 << 10

// Info is the answer of GET /v1/info: what a client must know before it joins.
type Info struct {
	Version int    `json:"version"`
	Name    string `json:"name"`
	URL     string `json:"url"`    // of the page
	Salt    []byte `json:"salt"`   // for stretching codes; base64
	Rounds  int    `json:"rounds"` // likewise
}

// FromClient is a frame that a client sends: Join first and once, then Send.
type FromClient struct {
	Join *Join `json:"join,omitempty"`
	Send *Send `json:"send,omitempty"`
}

// Join asks for a seat.
type Join struct {
	Token []byte `json:"token"` // the join token, 32 bytes
	Epoch string `json:"epoch"` // a new random name for this session, 22 letters of base64url
}

// Send asks to carry a sealed message to a seat. It is carried only while the
// session that holds the seat has the epoch it was sealed for.
type Send struct {
	To     string `json:"to"`
	Epoch  string `json:"epoch"`
	Seq    uint64 `json:"seq"`
	Sealed []byte `json:"sealed"`
}

// FromServer is a frame that the server sends: Welcome or Error first.
type FromServer struct {
	Welcome *Welcome `json:"welcome,omitempty"`
	Joined  *Present `json:"joined,omitempty"`
	Left    *Present `json:"left,omitempty"`
	Message *Message `json:"message,omitempty"`
	Error   *Error   `json:"error,omitempty"`
}

// Welcome tells a client that it has its seat.
type Welcome struct {
	Appointment string      `json:"appointment"`
	Seat        string      `json:"seat"`
	Opens       time.Time   `json:"opens"`
	Closes      time.Time   `json:"closes"`
	RoomKey     []byte      `json:"room_key"` // wrapped under the seat's seal key
	ICEServers  []ICEServer `json:"ice_servers"`
	// Expires is when the ICE servers' credential stops making allocations.
	Expires time.Time `json:"expires"`
	Present []Present `json:"present"` // the other seats' sessions
}

// ICEServer is WebRTC's RTCIceServer.
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// Present is a session that holds a seat.
type Present struct {
	Seat  string `json:"seat"`
	Epoch string `json:"epoch"`
}

// Message is a sealed message from another seat.
type Message struct {
	From   string `json:"from"`
	Epoch  string `json:"epoch"` // the sender's
	Seq    uint64 `json:"seq"`
	Sealed []byte `json:"sealed"`
}

// Error says what went wrong. Except for Absent the connection is closed after it.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"` // for people who write clients
	// Opens is set with TooEarly.
	Opens *time.Time `json:"opens,omitempty"`
	// RetryAfter is set with Limited, in seconds.
	RetryAfter int `json:"retry_after,omitempty"`
}

// Code names an error.
type Code string

// The errors.
const (
	BadRequest  Code = "bad-request"  // a frame was not understood
	UnknownCode Code = "unknown-code" // no appointment has this code, or it was revoked
	TooEarly    Code = "too-early"    // the code is right, the window has not begun
	Over        Code = "over"         // the code is right, the window is over
	Limited     Code = "limited"      // too many wrong codes from this network
	Replaced    Code = "replaced"     // the seat's code was used elsewhere
	Revoked     Code = "revoked"      // the appointment was withdrawn
	Absent      Code = "absent"       // the session that a message was for is gone
	TooSlow     Code = "too-slow"     // frames were not read in time
	Unavailable Code = "unavailable"  // the server stops or has a fault; try again
)

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }
