// Package admin is the admin API: on a socket for the commands, which may do everything,
// and over the network for other programs, each with a token.
//
//	server.go       what it is made of
//	routes.go       its requests
//	bearer.go       the tokens that they show
//	problem.go      what is refused, and how that is told
//	idempotency.go  requests that may be repeated
//	stretch.go      how many codes are made at once
//	steady.go       answers that take as long as they are read
package admin

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/explain"
	"praxisrelay/signal/protocol"
	"praxisrelay/signal/registry"
)

// Signaling is what the admin API needs of the server that holds the rooms.
type Signaling interface {
	// Info returns what clients must know.
	Info() protocol.Info
	// Sessions returns how many there are in all rooms.
	Sessions() int
	// Seated returns the seats of an appointment that are held.
	Seated(appointment string) []string
	// Case returns all that is known of an appointment, and how many of its events were
	// forgotten.
	Case(appointment.Appointment) (c explain.Case, forgotten int)
	// Revoked ends what the codes of an appointment have opened.
	Revoked(appointment.Appointment)
	// Reissued ends what the former code of a seat has opened.
	Reissued(a appointment.Appointment, seat string)
	// Limited counts a refusal by a limit, which package limit names.
	Limited(limit string)
	// Failed logs and counts a fault, Unwritten one in writing the registry.
	Failed(what string, err error)
	Unwritten(what string, err error)
}

// Options are what a Server is made of.
type Options struct {
	Signaling Signaling
	Registry  registry.Registry
	Pepper    *appointment.Pepper
	// Operations are requests that the program serves itself, on the socket only, by
	// their patterns as of [http.ServeMux].
	Operations map[string]http.HandlerFunc
	// Status is what the program says of itself and of the relay to those who ask on the
	// socket. The server adds sessions and appointments.
	Status func() api.Status
	Now    func() time.Time
	Log    *slog.Logger
}

// Server serves the admin API.
type Server struct {
	signaling  Signaling
	registry   registry.Registry
	pepper     *appointment.Pepper
	operations map[string]http.HandlerFunc
	status     func() api.Status
	now        func() time.Time
	log        *slog.Logger
	shown      *shownCodes
	answers    inProgress
	stretching stretching
	requests   *prometheus.CounterVec
}

// New returns a Server.
func New(o Options) *Server {
	s := &Server{
		signaling:  o.Signaling,
		registry:   o.Registry,
		pepper:     o.Pepper,
		operations: o.Operations,
		status:     o.Status,
		now:        o.Now,
		log:        o.Log,
		shown:      newShownCodes(),
		stretching: newStretching(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "praxisrelay", Subsystem: "signal", Name: "admin_requests_total",
			Help: "Requests of the admin API, by result: ok, or the problem's name as in docs/admin-api.md. unauthorized is a wrong token; fault is one of this server, see the log.",
		}, []string{"result"}),
	}
	s.requests.WithLabelValues(succeeded)
	for _, k := range kinds {
		s.requests.WithLabelValues(k.name)
	}
	return s
}

// succeeded is the value of the label result where nothing was refused.
const succeeded = "ok"

// answered counts a request.
func (s *Server) answered(r *refusal) {
	result := succeeded
	if r != nil {
		result = r.kind.name
	}
	s.requests.WithLabelValues(result).Inc()
}

// Collector returns the admin API's metrics.
func (s *Server) Collector() prometheus.Collector { return s.requests }
