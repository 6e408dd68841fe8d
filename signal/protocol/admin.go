package protocol

import "time"

// NewAppointment is the body of POST /v1/appointments: an appointment whose codes
// were made by the caller, who tells the server no more than their verifiers and
// the room key wrapped for each.
type NewAppointment struct {
	ID     string    `json:"id"`
	Opens  time.Time `json:"opens"`
	Closes time.Time `json:"closes"`
	Seats  []NewSeat `json:"seats"`
}

// NewSeat is a seat of a NewAppointment.
type NewSeat struct {
	Name     string `json:"name"`
	Verifier []byte `json:"verifier"` // SHA-256 of the join token
	RoomKey  []byte `json:"room_key"`
}

// ListedAppointment is a row of GET /v1/appointments.
type ListedAppointment struct {
	ID      string    `json:"id"`
	Opens   time.Time `json:"opens"`
	Closes  time.Time `json:"closes"`
	Revoked bool      `json:"revoked"`
	Seated  []string  `json:"seated"` // who is there now
}

// Problem is an error of the admin API (RFC 9457).
type Problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

func (p Problem) Error() string { return p.Detail }
