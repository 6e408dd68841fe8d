package api

import "time"

// Reload is the body of POST /v1/reload, on the admin socket only: what the command
// could read and the daemon may not. With Mistakes, which the command found, nothing is
// to be taken: status, metrics and log are to say so.
type Reload struct {
	File     string            `json:"file"`  // the configuration's name
	Files    map[string][]byte `json:"files"` // what is in it, and in the files that it names
	Mistakes []string          `json:"mistakes,omitempty"`
}

// Peppers is the body of POST /v1/pepper, on the admin socket only: what config check has
// read from signal.pepper_file.
type Peppers struct {
	Peppers [][]byte `json:"peppers"`
}

// PepperFit is the answer: how many codes of the registry are known with these peppers, how
// many are not, and when the last appointment with one of those is over.
type PepperFit struct {
	Known   int       `json:"known"`
	Unknown int       `json:"unknown"`
	Until   time.Time `json:"until,omitzero"`
}

// Reloaded is the answer. With Mistakes nothing was taken; else Changed are the keys
// that are in effect, Restart those that a restart will bring into effect.
type Reloaded struct {
	Mistakes []string `json:"mistakes,omitempty"`
	Changed  []string `json:"changed"`
	Restart  []string `json:"restart"`
}

// Drain is the body of PUT /v1/drain, on the admin socket only.
type Drain struct {
	Until time.Time `json:"until,omitzero"` // when it will be over, as far as is known
}

// Drained is the answer to it, and that of GET and DELETE /v1/drain.
type Drained struct {
	Draining bool      `json:"draining"`
	Until    time.Time `json:"until,omitzero"`
	Calls    int       `json:"calls"`         // that run
	Next     time.Time `json:"next,omitzero"` // when the next appointment opens; zero: there is none
}

// MaxCredentials is how many appointments' credentials POST /v1/credentials makes at once.
const MaxCredentials = 10_000

// NewCredentials is the body of POST /v1/credentials, on the admin socket only.
type NewCredentials struct {
	Count int `json:"count"`
}

// MadeCredentials is the answer: TURN credentials of appointments that nothing else
// belongs to, for clients that are not the page.
type MadeCredentials struct {
	URLs         []string                 `json:"urls"`
	Expires      time.Time                `json:"expires"`
	Appointments []AppointmentCredentials `json:"appointments"`
}

// AppointmentCredentials are those of the seats of one appointment, which the relay
// forwards between.
type AppointmentCredentials struct {
	Doctor  TURNCredential `json:"doctor"`
	Patient TURNCredential `json:"patient"`
}

// TURNCredential is one seat's.
type TURNCredential struct {
	Username   string `json:"username"`
	Credential string `json:"credential"`
}
