package api

import "time"

// Reload is the body of POST /v1/reload, on the admin socket only: files that the command can read
// and the daemon may not. With Mistakes, found by the command, nothing takes effect, but status,
// metrics and log report them.
type Reload struct {
	File     string            `json:"file"`  // the configuration's name
	Files    map[string][]byte `json:"files"` // contents of it and of the files it names
	Mistakes []string          `json:"mistakes,omitempty"`
}

// Peppers is the body of POST /v1/pepper, on the admin socket only: the keys that config check read
// from signal.pepper_file.
type Peppers struct {
	Peppers [][]byte `json:"peppers"`
}

// PepperFit is the answer: how many codes in the registry match these peppers, how many do not, and
// when the last appointment with one of the latter is over.
type PepperFit struct {
	Known   int       `json:"known"`
	Unknown int       `json:"unknown"`
	Until   time.Time `json:"until,omitzero"`
}

// Reloaded is the answer. With Mistakes nothing took effect; otherwise Changed lists the keys now
// in effect, Restart those that need a restart.
type Reloaded struct {
	Mistakes []string `json:"mistakes,omitempty"`
	Changed  []string `json:"changed"`
	Restart  []string `json:"restart"`
}

// Drain is the body of PUT /v1/drain, on the admin socket only.
type Drain struct {
	Until time.Time `json:"until,omitzero"` // expected end, if known
}

// Drained is the answer to it, and that of GET and DELETE /v1/drain.
type Drained struct {
	Draining bool      `json:"draining"`
	Until    time.Time `json:"until,omitzero"`
	Calls    int       `json:"calls"`         // in progress
	Next     time.Time `json:"next,omitzero"` // when the next appointment opens; zero: there is none
}

// MaxCredentials is the maximum number of appointments for one POST /v1/credentials.
const MaxCredentials = 10_000

// NewCredentials is the body of POST /v1/credentials, on the admin socket only.
type NewCredentials struct {
	Count int `json:"count"`
}

// MadeCredentials is the answer: TURN credentials for clients other than the page, of appointments
// that exist only for them.
type MadeCredentials struct {
	URLs         []string                 `json:"urls"`
	Expires      time.Time                `json:"expires"`
	Appointments []AppointmentCredentials `json:"appointments"`
}

// AppointmentCredentials are those of the seats of one appointment; the relay forwards between the
// two.
type AppointmentCredentials struct {
	Doctor  TURNCredential `json:"doctor"`
	Patient TURNCredential `json:"patient"`
}

// TURNCredential is one seat's.
type TURNCredential struct {
	Username   string `json:"username"`
	Credential string `json:"credential"`
}
