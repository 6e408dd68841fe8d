package api

import "time"

// Status is the answer of GET /v1/status, on the admin socket only. It names no client
// and no appointment.
type Status struct {
	Version string    `json:"version"`
	Since   time.Time `json:"since"` // when the daemon began to serve
	// NotReady lists reasons to send no clients here; empty: none.
	NotReady []string `json:"not_ready"`
	// Warnings need attention although clients may be sent here.
	Warnings []string `json:"warnings"`
	Draining bool     `json:"draining"`

	Calls        int               `json:"calls"`    // with allocations on both seats
	Sessions     int               `json:"sessions"` // of signaling
	Allocations  AllocationCounts  `json:"allocations"`
	Appointments AppointmentCounts `json:"appointments"`
	Limits       []LimitUse        `json:"limits"`

	Listeners    []Listener          `json:"listeners"`
	Synthetic    []SyntheticCall     `json:"synthetic_calls"` // the last on each way; empty: there are none
	Certificates []CertificateStatus `json:"certificates"`
	Reload       *ReloadStatus       `json:"reload,omitempty"` // the last one; none: there was none
	Problems     []LoggedProblem     `json:"problems"`         // the last warnings and errors of the log, the latest first
}

// AllocationCounts are live allocations by their clients' transport.
type AllocationCounts struct {
	UDP int `json:"udp"`
	TCP int `json:"tcp"`
	TLS int `json:"tls"`
}

// AppointmentCounts are the appointments in the registry by their state.
type AppointmentCounts struct {
	Upcoming int       `json:"upcoming"`
	Open     int       `json:"open"`
	Over     int       `json:"over"`
	Revoked  int       `json:"revoked"`
	Next     time.Time `json:"next,omitzero"` // when the next one opens; zero: there is none
}

// LimitUse is a configured limit and its current use.
type LimitUse struct {
	Name string `json:"name"` // of the key
	Used int    `json:"used"`
	Most int    `json:"most"`
}

// Listener is an address that the daemon listens on.
type Listener struct {
	Name      string `json:"name"`      // of the configuration's key
	Transport string `json:"transport"` // udp, tcp or unix
	Address   string `json:"address"`
	Inherited bool   `json:"inherited"` // bound by the service manager
}

// CertificateStatus is a certificate that clients are shown.
type CertificateStatus struct {
	Names  []string  `json:"names"`
	Issuer string    `json:"issuer"`
	Key    string    `json:"key_sha256"` // of its public key (SubjectPublicKeyInfo), in hex
	Begins time.Time `json:"begins"`
	Ends   time.Time `json:"ends"`
	// Problems are reasons why some or all clients refuse it; empty: none known.
	Problems []string `json:"problems"`
}

// SyntheticCall is a call from the daemon to itself through its public name.
type SyntheticCall struct {
	Transport string    `json:"transport"` // udp, tcp or tls
	Port      uint16    `json:"port"`
	Family    string    `json:"family"` // IPv4 or IPv6
	At        time.Time `json:"at"`
	Error     string    `json:"error,omitempty"` // why it failed
	RTT       float64   `json:"rtt_ms"`
}

// ReloadStatus is the outcome of a reload.
type ReloadStatus struct {
	At    time.Time `json:"at"`
	Error string    `json:"error,omitempty"` // why nothing took effect
}

// LoggedProblem is a warning or error in the log, with its count.
type LoggedProblem struct {
	Level   string    `json:"level"` // warn or error
	Message string    `json:"message"`
	Details string    `json:"details,omitempty"`
	Count   int       `json:"count"`
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
}
