// Package signal has the rooms in which a doctor's and a patient's client find each
// other, over HTTP, and serves the page that they use.
//
// It carries sealed messages that it cannot read, and knows the relay only through
// the small interface [Relay].
package signal

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"praxisrelay/signal/appointment"
	"praxisrelay/signal/code"
	"praxisrelay/signal/front"
	"praxisrelay/signal/health"
	"praxisrelay/signal/journal"
	"praxisrelay/signal/limit"
	"praxisrelay/signal/page"
	"praxisrelay/signal/protocol"
	"praxisrelay/signal/registry"
)

// Relay is the part of the relay that signaling needs.
type Relay interface {
	// ICEServers returns the addresses and a new credential for a holder, and the time from which
	// that credential makes no more allocations.
	ICEServers(Holder) ([]protocol.ICEServer, time.Time, error)
	// Revoke ends everything held by generations of a seat before this one, or by the whole
	// appointment if seat is empty, and refuses their credentials from now on.
	Revoke(appointment, seat string, generation int)
	// Forget drops an appointment's refusals: none of its credentials is still valid.
	Forget(appointment string)
	// Allocations returns the allocations held by clients of an appointment.
	Allocations(appointment string) []journal.Allocation
}

// Holder identifies the client that a credential is for.
type Holder struct {
	Appointment, Seat string
	Generation        int       // see [appointment.Appointment.Generation]
	Until             time.Time // no credential may outlive it
}

// Options configures a Server.
type Options struct {
	Name   string // as in the configuration
	URL    string // of the page
	Rounds int    // of stretching; code.Rounds in a served deployment
	// Ports are the ports that serve TURN.
	Ports protocol.Ports
	// Key returns the SHA-256 of the public key in the current certificate, or nil.
	Key func() []byte
	// Waiting makes patients wait until the doctor lets them in.
	Waiting  bool
	Registry registry.Registry
	Pepper   *appointment.Pepper
	Relay    Relay
	// Journal records events for explanations. Nil: the server keeps its own, which lacks the
	// relay's events.
	Journal *journal.Journal
	// Maintenance reports whether an appointment is closed to new consultations and, if known,
	// until when. Nil: none is. See [Server.SendAway].
	Maintenance func(appointment string) (until time.Time, closed bool)
	Now         func() time.Time
	Log         *slog.Logger
}

// Server holds the rooms and serves the clients that join.
type Server struct {
	info      protocol.Info // except Key
	key       func() []byte
	registry  registry.Registry
	pepper    *appointment.Pepper
	relay     Relay
	closed    func(appointment string) (until time.Time, closed bool)
	now       func() time.Time
	log       *slog.Logger
	rooms     *rooms
	guesses   *limit.Guesses
	stopping  chan struct{}
	journal   *journal.Journal
	metrics   *metrics
	writing   writing
	swept     atomic.Pointer[time.Time] // time of the last sweep; nil: none yet
	lastSweep time.Time                 // of the registry
}

// New returns a Server and tells the relay again what was revoked before.
func New(ctx context.Context, o Options) (*Server, error) {
	if o.Pepper == nil {
		return nil, errors.New("signaling needs a pepper")
	}
	if o.Rounds < code.MinRounds || o.Rounds > code.MaxRounds {
		return nil, errors.New("codes are stretched with 600000 to 10000000 rounds")
	}
	if o.Key == nil {
		o.Key = func() []byte { return nil }
	}
	s := &Server{
		info: protocol.Info{
			Version: 1, Name: o.Name, URL: o.URL, Salt: o.Registry.Salt(), Rounds: o.Rounds, MaxMessage: protocol.MaxFrame, TURN: o.Ports,
		},
		key:      o.Key,
		registry: o.Registry,
		pepper:   o.Pepper,
		relay:    o.Relay,
		closed:   o.Maintenance,
		now:      o.Now,
		log:      o.Log,
		guesses:  limit.NewGuesses(),
		stopping: make(chan struct{}),
		metrics:  newMetrics(),
		journal:  o.Journal,
	}
	if s.journal == nil {
		s.journal = journal.New(o.Now, nil)
	}
	s.rooms = newRooms(o.Waiting, s.makeICE, s.explainRoom, s.metrics, s.journal)
	list, err := s.registry.List(ctx)
	if errors.Is(err, registry.ErrDamaged) {
		s.log.Error("appointments cannot be read", "error", err) // the rest can
	} else if err != nil {
		return nil, err
	}
	for _, a := range list {
		s.revoke(a)
	}
	return s, nil
}

// Revoked ends everything that the codes of an appointment have opened.
func (s *Server) Revoked(a appointment.Appointment) {
	s.journal.Note(a.ID, journal.Event{Kind: journal.Revoked})
	s.rooms.endAll(a.ID, "", protocol.Revoked, "the appointment was withdrawn")
	s.revoke(a)
}

// Reissued ends everything that a seat's former code has opened.
func (s *Server) Reissued(a appointment.Appointment, seat string) {
	s.journal.Note(a.ID, journal.Event{Kind: journal.Reissued, Seat: seat})
	s.rooms.endAll(a.ID, seat, protocol.Revoked, "the seat was given another code")
	s.revoke(a)
}

// Seated returns the seats of an appointment that are taken.
func (s *Server) Seated(appointment string) []string { return s.rooms.seated(appointment) }

// Sessions returns the number of sessions in all rooms.
func (s *Server) Sessions() (n int) {
	for _, sessions := range s.rooms.count().sessions {
		n += sessions
	}
	return n
}

// revoke passes the credentials of an appointment that are to be refused to the relay.
func (s *Server) revoke(a appointment.Appointment) {
	if !a.Revoked.IsZero() {
		s.relay.Revoke(a.ID, "", 0)
	}
	for _, seat := range append([]string{appointment.Test}, appointment.SeatNames...) {
		if generation := a.Generation(seat); generation > 0 {
			s.relay.Revoke(a.ID, seat, generation)
		}
	}
}

// Routes registers the clients' routes, with answers from [front.Secured].
func (s *Server) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/info", s.serveInfo)
	mux.HandleFunc("GET /v1/signal", s.serveSocket)
	mux.HandleFunc("POST /v1/signal", s.servePoll)
	mux.Handle("GET /", page.Handler())
	mux.HandleFunc("OPTIONS /{$}", health.Options)
}

// maxPending bounds, for each listener, the incomplete requests and the unread answers; a single
// network gets a quarter. Each takes memory in proportion to its length.
const maxPending = 1000

// Site is a listener and its handler.
type Site struct {
	Listener net.Listener
	Handler  http.Handler
}

// Serve serves sites until ctx is done or one of them fails, then closes all. Sessions hear that
// the server is stopping.
func (s *Server) Serve(ctx context.Context, sites ...Site) error {
	failures := make(chan error, len(sites))
	var servers []*http.Server
	for _, site := range sites {
		server := front.NewServer(site.Handler, s.log)
		servers = append(servers, server)
		go func() { failures <- front.Serve(server, site.Listener, front.NewPending(maxPending, s.pendingRefused)) }()
	}
	s.noteSweep()
	var running sync.WaitGroup
	defer running.Wait()
	sweeping, stopSweep := context.WithCancel(ctx)
	defer stopSweep()
	running.Go(func() { s.sweep(sweeping) })

	var failed error
	select {
	case <-ctx.Done():
	case failed = <-failures:
	}
	if ctx.Err() != nil {
		failed = nil // the caller may have closed the listeners already
	}
	close(s.stopping)
	ctx, cancel := context.WithTimeout(context.Background(), writeTime)
	defer cancel()
	for _, server := range servers {
		if server.Shutdown(ctx) != nil {
			server.Close()
		}
	}
	return failed
}

// sweep removes what is over: absent clients every few seconds, appointments at startup and every
// hour.
func (s *Server) sweep(ctx context.Context) {
	seconds, hour := time.NewTicker(5*time.Second), time.NewTicker(time.Hour)
	defer seconds.Stop()
	defer hour.Stop()
	s.sweepRegistry(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-seconds.C:
			s.rooms.sweep(s.now())
			s.noteSweep()
		case <-hour.C:
			s.sweepRegistry(ctx)
		}
	}
}

// sweepRegistry deletes only rows that were already over at the last sweep. The two are at least an
// hour apart, whatever the clock shows, so a clock that is wrong for a moment cannot make a revoked
// credential valid again.
func (s *Server) sweepRegistry(ctx context.Context) {
	s.journal.Sweep(s.now())
	now := s.now().Round(0) // appointments go by the wall clock
	over := now
	if s.lastSweep.Before(now) {
		over = s.lastSweep
	}
	s.lastSweep = now
	deleted, err := s.registry.Sweep(ctx, over)
	for _, id := range deleted {
		s.relay.Forget(id)
	}
	switch {
	case errors.Is(err, registry.ErrDamaged):
		s.Failed("the registry cannot be swept", err)
	case err != nil:
		s.Unwritten("the registry cannot be swept", err)
	}
}

// Failed logs and counts a fault, nearly always one of the registry.
func (s *Server) Failed(what string, err error) {
	s.log.Error(what, "error", err)
	s.metrics.faults.Inc()
}

// Unwritten is Failed for a write to the registry, which makes the server not ready.
func (s *Server) Unwritten(what string, err error) {
	s.writing.fail(s.now())
	s.Failed(what, err)
}

// Limited counts a refusal by one of package limit's limits.
func (s *Server) Limited(limit string) { s.metrics.hit(limit) }

func (s *Server) pendingRefused() { s.metrics.hit(limitRequests) }

// SetWaiting sets whether patients who join from now on wait until the doctor lets them in.
func (s *Server) SetWaiting(waiting bool) {
	s.rooms.mu.Lock()
	defer s.rooms.mu.Unlock()
	s.rooms.waiting = waiting
}

// Info returns the deployment's data for clients.
func (s *Server) Info() protocol.Info {
	info := s.info
	info.Key = s.key()
	return info
}

func (s *Server) serveInfo(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s.Info())
}
