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

// Relay is what signaling needs of the relay.
type Relay interface {
	// ICEServers returns the addresses and a new credential for a holder, and when
	// that stops making allocations.
	ICEServers(Holder) ([]protocol.ICEServer, time.Time, error)
	// Revoke ends what generations of a seat before this one hold, or all of an
	// appointment where seat is empty, and refuses their credentials from now on.
	Revoke(appointment, seat string, generation int)
	// Forget says that no credential of an appointment lives: none has to be refused.
	Forget(appointment string)
	// Allocations returns what clients of an appointment hold there.
	Allocations(appointment string) []journal.Allocation
}

// Holder is whom a credential is for.
type Holder struct {
	Appointment, Seat string
	Generation        int       // see [appointment.Appointment.Generation]
	Until             time.Time // no credential may live longer
}

// Options are what a Server is made of.
type Options struct {
	Name   string // as in the configuration
	URL    string // of the page
	Rounds int    // of stretching; code.Rounds in a served deployment
	// Ports are where TURN is served.
	Ports protocol.Ports
	// Key returns the SHA-256 of the public key that the certificate is for now, or nil.
	Key func() []byte
	// Waiting makes patients wait until the doctor lets them in.
	Waiting  bool
	Registry registry.Registry
	Pepper   *appointment.Pepper
	Relay    Relay
	// Journal remembers what happens, to explain it. Nil: the server has its own, without
	// what the relay knows.
	Journal *journal.Journal
	// Maintenance reports whether no consultation may begin in an appointment for now and,
	// as far as is known, until when. Nil: any may. See [Server.SendAway].
	Maintenance func(appointment string) (until time.Time, closed bool)
	Now         func() time.Time
	Log         *slog.Logger
}

// Server holds the rooms and serves those who join.
type Server struct {
	info      protocol.Info // but for Key
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
	swept     atomic.Pointer[time.Time] // when was the last sweep; nil: there was none
	lastSweep time.Time                 // of the registry
}

// New returns a Server and revokes again in the relay what was revoked before.
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
		s.log.Error("appointments cannot be read", "error", err) // the others can
	} else if err != nil {
		return nil, err
	}
	for _, a := range list {
		s.revoke(a)
	}
	return s, nil
}

// Revoked ends what the codes of an appointment have opened.
func (s *Server) Revoked(a appointment.Appointment) {
	s.journal.Note(a.ID, journal.Event{Kind: journal.Revoked})
	s.rooms.endAll(a.ID, "", protocol.Revoked, "the appointment was withdrawn")
	s.revoke(a)
}

// Reissued ends what the former code of a seat has opened.
func (s *Server) Reissued(a appointment.Appointment, seat string) {
	s.journal.Note(a.ID, journal.Event{Kind: journal.Reissued, Seat: seat})
	s.rooms.endAll(a.ID, seat, protocol.Revoked, "the seat was given another code")
	s.revoke(a)
}

// Seated returns the seats of an appointment that are held.
func (s *Server) Seated(appointment string) []string { return s.rooms.seated(appointment) }

// Sessions returns how many there are in all rooms.
func (s *Server) Sessions() (n int) {
	for _, sessions := range s.rooms.count().sessions {
		n += sessions
	}
	return n
}

// revoke tells the relay which credentials of an appointment it refuses, if any.
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

// Routes adds what clients ask for to a mux, whose answers are [front.Secured].
func (s *Server) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/info", s.serveInfo)
	mux.HandleFunc("GET /v1/signal", s.serveSocket)
	mux.HandleFunc("POST /v1/signal", s.servePoll)
	mux.Handle("GET /", page.Handler())
	mux.HandleFunc("OPTIONS /{$}", health.Options)
}

// maxPending is how many requests to a listener are there in part at once, and how many
// answers are not read, a quarter of each of one network. Each takes as much memory as it
// is long.
const maxPending = 1000

// Site is what is served on a listener.
type Site struct {
	Listener net.Listener
	Handler  http.Handler
}

// Serve serves sites until ctx is done or one of them fails; it closes all. Sessions are
// told that the server stops.
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
		failed = nil // whoever stops the server may have closed its listeners already
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

// sweep deletes what is over: clients that stay away every few seconds, appointments
// at the start and every hour.
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

// sweepRegistry deletes what was over at the last sweep too: at least an hour lies between
// them, whatever clocks say, so a clock that is wrong for a moment brings no revoked
// credential back.
func (s *Server) sweepRegistry(ctx context.Context) {
	s.journal.Sweep(s.now())
	now := s.now().Round(0) // by the clock that appointments go by
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

// Failed logs and counts a fault, which is one of the registry nearly always.
func (s *Server) Failed(what string, err error) {
	s.log.Error(what, "error", err)
	s.metrics.faults.Inc()
}

// Unwritten is Failed where the registry was to be written: the server is not ready then.
func (s *Server) Unwritten(what string, err error) {
	s.writing.fail(s.now())
	s.Failed(what, err)
}

// Limited counts a refusal by a limit, which package limit names.
func (s *Server) Limited(limit string) { s.metrics.hit(limit) }

func (s *Server) pendingRefused() { s.metrics.hit(limitRequests) }

// SetWaiting makes the patients that join from now on wait until the doctor lets them in,
// or not.
func (s *Server) SetWaiting(waiting bool) {
	s.rooms.mu.Lock()
	defer s.rooms.mu.Unlock()
	s.rooms.waiting = waiting
}

// Info returns what clients must know.
func (s *Server) Info() protocol.Info {
	info := s.info
	info.Key = s.key()
	return info
}

func (s *Server) serveInfo(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s.Info())
}
