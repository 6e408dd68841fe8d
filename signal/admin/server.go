// Package admin is the admin API: on a socket for the commands, which may do everything,
// and over the network for other programs, each with a token.
//
//	server.go       the server and its options
//	routes.go       its requests
//	bearer.go       the tokens that they show
//	problem.go      refusals, and how they are answered
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

// Signaling is the part of the signaling server that the admin API needs.
type Signaling interface {
	// Info returns the deployment's data for clients.
	Info() protocol.Info
	// Sessions returns the number of sessions in all rooms.
	Sessions() int
	// Seated returns the seats of an appointment that are taken.
	Seated(appointment string) []string
	// Case returns everything known about an appointment, and how many of its events were
	// forgotten.
	Case(appointment.Appointment) (c explain.Case, forgotten int)
	// Revoked ends everything that the codes of an appointment have opened.
	Revoked(appointment.Appointment)
	// Reissued ends everything that a seat's former code has opened.
	Reissued(a appointment.Appointment, seat string)
	// Limited counts a refusal by one of package limit's limits.
	Limited(limit string)
	// Failed logs and counts a fault, Unwritten a failed write to the registry.
	Failed(what string, err error)
	Unwritten(what string, err error)
}

// Options configures a Server.
type Options struct {
	Signaling Signaling
	Registry  registry.Registry
	Pepper    *appointment.Pepper
	// Operations are requests that the program serves itself, only on the socket, by their
	// [http.ServeMux] patterns.
	Operations map[string]http.HandlerFunc
	// Status returns the status of the program and the relay, for callers on the socket. The server
	// adds sessions and appointments.
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

// succeeded is the value of the label result for a request that was not refused.
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
