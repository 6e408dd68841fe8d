// Package protocol defines the frames between a client and the signaling endpoint, as documented in
// docs/protocol.md. A frame is a JSON object with one member, whose name is its kind, plus a number
// if the frame must arrive.
package protocol

import (
	"time"
)

// Subprotocol is the WebSocket subprotocol of GET /v1/signal.
const Subprotocol = "praxisrelay.v1"

// MaxFrame is the maximum size of a client's frame in bytes.
const MaxFrame = 16 << 10

// Bounds of a body of POST /v1/signal: the number of frames, and its size as a multiple of the
// largest frame.
const (
	MaxPollFrames = 32
	MaxPollFactor = 4
)

// AckEvery is how many numbered frames a client may leave unacknowledged.
const AckEvery = 16

// Info is the answer of GET /v1/info: the data that a client needs before it joins.
type Info struct {
	Version    int    `json:"version"`
	Name       string `json:"name"`
	URL        string `json:"url"`         // of the page
	Salt       []byte `json:"salt"`        // for stretching codes; base64
	Rounds     int    `json:"rounds"`      // likewise
	MaxMessage int    `json:"max_message"` // MaxFrame
	// Key is the SHA-256 of the public key in the appliance's certificate (of its
	// SubjectPublicKeyInfo).
	Key  []byte `json:"key,omitempty"`
	TURN Ports  `json:"turn"` // ports served, in addition to those that ICE servers name
}

// Ports are the ports that serve TURN. The page's port is the last of TLS.
type Ports struct {
	UDP []uint16 `json:"udp,omitempty"`
	TCP []uint16 `json:"tcp,omitempty"`
	TLS []uint16 `json:"tls,omitempty"`
}

// Poll is the body of POST /v1/signal.
type Poll struct {
	Frames []FromClient `json:"frames"`
}

// Polled is the answer.
type Polled struct {
	Frames []FromServer `json:"frames"`
}

// FromClient is a frame from a client: first Join or Resume, then any of the others. Send, Admit,
// ICE and Explain are numbered.
type FromClient struct {
	N       uint64  `json:"n,omitempty"` // from 1, per session, without gaps
	Join    *Join   `json:"join,omitempty"`
	Resume  *Resume `json:"resume,omitempty"`
	Send    *Send   `json:"send,omitempty"`
	Admit   *Admit  `json:"admit,omitempty"`
	ICE     *Empty  `json:"ice,omitempty"`
	Explain *Empty  `json:"explain,omitempty"` // only the doctor's: why does the call not come about?
	Ack     *uint64 `json:"ack,omitempty"`     // the last N received; also the heartbeat
	Leave   *Empty  `json:"leave,omitempty"`
}

// Numbered reports whether a frame must have a number.
func (f FromClient) Numbered() bool {
	return f.Send != nil || f.Admit != nil || f.ICE != nil || f.Explain != nil
}

// Empty is the value of a frame whose name says everything.
type Empty struct{}

// Join asks for a seat.
type Join struct {
	Token []byte `json:"token"` // the join token, 32 bytes
	Epoch string `json:"epoch"` // a random name for this client, 22 letters of base64url
	// Check asks not for a seat but only for its data, to check the way here. It notifies, replaces
	// and reaches nobody; a test code gets nothing else.
	Check bool `json:"check,omitempty"`
}

// Resume returns to a session.
type Resume struct {
	Session  string `json:"session"`  // as in Welcome
	Received uint64 `json:"received"` // the last N received from the server
}

// Send asks to deliver a sealed message to a seat. It is delivered only while the session in the
// seat has the epoch that it was sealed for.
type Send struct {
	To     string `json:"to"`
	Epoch  string `json:"epoch"`
	Seq    uint64 `json:"seq"`
	Sealed []byte `json:"sealed"`
}

// Admit lets a waiting session in.
type Admit struct {
	Seat  string `json:"seat"`
	Epoch string `json:"epoch"`
}

// FromServer is a frame from the server, first Welcome, Resumed or Error. Frames that must arrive
// are numbered.
type FromServer struct {
	N           uint64       `json:"n,omitempty"` // from 1, per session, without gaps
	Welcome     *Welcome     `json:"welcome,omitempty"`
	ICE         *ICE         `json:"ice,omitempty"`
	Joined      *Present     `json:"joined,omitempty"`
	Left        *Present     `json:"left,omitempty"`
	Message     *Message     `json:"message,omitempty"`
	Absent      *Absent      `json:"absent,omitempty"`
	Explanation *Explanation `json:"explanation,omitempty"` // after Explain
	Resumed     *Resumed     `json:"resumed,omitempty"`     // not numbered
	Ack         *uint64      `json:"ack,omitempty"`         // not numbered
	Error       *Error       `json:"error,omitempty"`       // not numbered; the last frame
}

// Welcome confirms that the client has its seat.
type Welcome struct {
	Session     string    `json:"session"` // a secret, for Resume
	Appointment string    `json:"appointment"`
	Seat        string    `json:"seat"`
	Opens       time.Time `json:"opens"`
	Closes      time.Time `json:"closes"`
	RoomKey     []byte    `json:"room_key"` // wrapped under the seat's seal key
	Present     []Present `json:"present"`  // the other seats' sessions
}

// Resumed confirms that the client's session continues.
type Resumed struct {
	Received uint64 `json:"received"` // the last N received from the client
}

// ICE gives an admitted client the way to the relay.
type ICE struct {
	Servers []ICEServer `json:"servers"`
	// Expires is when the servers' credential stops making allocations, and Lifetime the seconds
	// until then, for clients with a wrong clock.
	Expires  time.Time `json:"expires"`
	Lifetime int64     `json:"lifetime"`
}

// ICEServer is WebRTC's RTCIceServer.
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// Present is a session that holds a seat.
type Present struct {
	Seat     string `json:"seat"`
	Epoch    string `json:"epoch"`
	Admitted bool   `json:"admitted"`
}

// Absent reports that the session which a message was for is gone.
type Absent struct {
	To    string `json:"to"`
	Epoch string `json:"epoch"`
	Seq   uint64 `json:"seq"`
}

// Message is a sealed message from another seat.
type Message struct {
	From   string `json:"from"`
	Epoch  string `json:"epoch"` // the sender's
	Seq    uint64 `json:"seq"`
	Sealed []byte `json:"sealed"`
}

// Error is the reason for a failure. Nothing follows it.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"` // for developers of clients
	// Opens is set with TooEarly.
	Opens *time.Time `json:"opens,omitempty"`
	// Until may be set with Maintenance.
	Until *time.Time `json:"until,omitempty"`
	// RetryAfter is set with Limited and TooOften, in seconds.
	RetryAfter int `json:"retry_after,omitempty"`
}

// Code names an error.
type Code string

// The errors.
const (
	BadRequest     Code = "bad-request"     // a frame was not understood
	UnknownCode    Code = "unknown-code"    // no appointment has this code, or it was revoked
	TooEarly       Code = "too-early"       // the code is right, the window has not begun
	Over           Code = "over"            // the code is right, the window is over
	Limited        Code = "limited"         // too many wrong codes
	TooOften       Code = "too-often"       // the code is right, its seat was taken too often
	UnknownSession Code = "unknown-session" // there is nothing to resume: join
	Replaced       Code = "replaced"        // the seat's code was used elsewhere
	Revoked        Code = "revoked"         // the appointment was withdrawn, or the seat got another code
	TooSlow        Code = "too-slow"        // frames were not taken in time
	TooFast        Code = "too-fast"        // frames came faster than they may
	Unavailable    Code = "unavailable"     // the server stops or has a fault; try again
	Maintenance    Code = "maintenance"     // no consultation begins until it is over; try again
)

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }
