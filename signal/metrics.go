package signal

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"praxisrelay/signal/limit"
	"praxisrelay/signal/protocol"
	"praxisrelay/signal/registry"
)

// metrics holds signaling's Prometheus metrics. Every series exists from the start, and nothing
// that clients do changes how many there are.
type metrics struct {
	joins       *prometheus.CounterVec
	joinSeconds prometheus.Histogram
	ended       *prometheus.CounterVec
	frames      *prometheus.CounterVec
	polls       prometheus.Gauge
	limitHits   *prometheus.CounterVec
	sockets     *prometheus.CounterVec
	faults      prometheus.Counter
}

const namespace, subsystem = "praxisrelay", "signal"

func newMetrics() *metrics {
	options := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help}
	}
	vec := func(name, help, label string, values ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(options(name, help), []string{label})
		for _, value := range values {
			v.WithLabelValues(value)
		}
		return v
	}
	refusals := codes(protocol.BadRequest, protocol.UnknownCode, protocol.TooEarly, protocol.Over, protocol.Limited,
		protocol.TooOften, protocol.Replaced, protocol.TooSlow, protocol.Unavailable, protocol.Maintenance)
	ends := codes(protocol.BadRequest, protocol.UnknownSession, protocol.Over, protocol.Replaced, protocol.Revoked,
		protocol.TooSlow, protocol.TooFast, protocol.Unavailable, protocol.Maintenance)
	return &metrics{
		joins: vec("joins_total",
			"Attempts to join with a code, by result: ok, or the error as in docs/protocol.md. Many unknown-code are guesses, or letters with misprinted codes; unavailable is a fault, see the log.",
			"result", append(refusals, succeeded)...),
		joinSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "join_duration_seconds",
			Help:    "Time from a join's arrival to its welcome, in seconds. Above a tenth of a second this host is too slow: look at its load.",
			Buckets: []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5},
		}),
		ended: vec("sessions_ended_total",
			"Sessions that have ended, by reason: the error as in docs/protocol.md. unknown-session are clients that left or stayed away; too-slow ones did not take their frames in time, too-fast ones sent too many.",
			"reason", ends...),
		frames: vec("frames_total",
			"Frames between clients and server, by direction: received from clients, queued for them.",
			"direction", received, queued),
		polls: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "long_polls",
			Help: "Long polls that are being held. Each is a client whose network lets no WebSocket through.",
		}),
		limitHits: vec("limit_hits_total",
			"Refusals by the limit that was reached. wrong_codes and wrong_tokens are somebody who guesses, or a device with an old token; requests somebody whose requests do not come to their end, or who does not read the answers.",
			"limit", limit.WrongCodes, limit.WrongTokens, limitJoins, limitFrames, limitQueue, limit.Stretching, limitRequests),
		sockets: vec("sockets_refused_total",
			"WebSockets that were refused, by reason: upgrade is a proxy between that takes the Upgrade off, and the client polls then; origin a page of another site, or one under another name than the configuration's, see docs/logging.md; subprotocol another program's.",
			"reason", refusedOrigin, refusedUpgrade, refusedSubprotocol),
		faults: prometheus.NewCounter(options("faults_total",
			"Faults of this server, nearly always in reading or writing the registry of appointments. Any is one too many: see the log, and whether the disk is full.")),
	}
}

// Values of the labels result and direction.
const (
	succeeded = "ok"
	received  = "received"
	queued    = "queued"
)

// More values of the label limit.
const (
	limitJoins    = "joins_per_seat"    // joinBurst
	limitFrames   = "frames_per_client" // frameBurst
	limitQueue    = "queue"             // queueFrames or queueBytes
	limitRequests = "requests"          // maxPending
)

func codes(list ...protocol.Code) (values []string) {
	for _, code := range list {
		values = append(values, string(code))
	}
	return values
}

// Values of the label reason of WebSockets.
const (
	refusedOrigin      = "origin"
	refusedUpgrade     = "upgrade"
	refusedSubprotocol = "subprotocol"
)

func (m *metrics) socketRefused(reason string) { m.sockets.WithLabelValues(reason).Inc() }

func (m *metrics) hit(limit string) { m.limitHits.WithLabelValues(limit).Inc() }

// joined counts an attempt to join and how long it took.
func (m *metrics) joined(took time.Duration, failure *protocol.Error) {
	if failure != nil {
		m.joins.WithLabelValues(string(failure.Code)).Inc()
		return
	}
	m.joins.WithLabelValues(succeeded).Inc()
	m.joinSeconds.Observe(took.Seconds())
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.joins, m.joinSeconds, m.ended, m.frames, m.polls, m.limitHits, m.sockets, m.faults}
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, subsystem, name), help, labels, nil)
}

var (
	// transport: socket, poll, away (neither at the moment).
	sessionsDesc = describe("sessions",
		"Sessions by what carries them now. poll are clients whose networks let no WebSocket through; away ones have two minutes to come back.", "transport")
	consultationsDesc = describe("consultations",
		"Appointments with both seats taken at this moment.")
	queueFramesDesc = describe("queue_frames",
		"Frames for clients that have not acknowledged them. A client that leaves 128 loses its session, see too-slow of praxisrelay_signal_sessions_ended_total.")
	queueBytesDesc = describe("queue_bytes",
		"Bytes of the frames that wait for clients, at most 524288 for each session.")
	// state: upcoming, open, over, revoked.
	appointmentsDesc = describe("appointments",
		"Appointments in the registry by state, at most ten seconds old. over and revoked ones are deleted a day after they end.", "state")
)

// collector is the prometheus.Collector behind [Server.Collector].
type collector struct {
	s *Server

	mu      sync.Mutex
	counted time.Time // time of states
	states  map[string]int
}

// Collector returns signaling's metrics. A server needs only one.
func (s *Server) Collector() prometheus.Collector { return &collector{s: s} }

// Describe implements prometheus.Collector.
func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{sessionsDesc, consultationsDesc, queueFramesDesc, queueBytesDesc, appointmentsDesc} {
		descs <- desc
	}
	for _, each := range c.s.metrics.collectors() {
		each.Describe(descs)
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	for _, each := range c.s.metrics.collectors() {
		each.Collect(out)
	}
	gauge := func(desc *prometheus.Desc, value int, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(value), labels...)
	}
	held := c.s.rooms.count()
	for transport, n := range held.sessions {
		gauge(sessionsDesc, n, transport)
	}
	gauge(consultationsDesc, held.consultations)
	gauge(queueFramesDesc, held.frames)
	gauge(queueBytesDesc, held.bytes)
	for state, n := range c.appointments() {
		gauge(appointmentsDesc, n, state)
	}
}

// countEvery is the maximum age of the appointment counts: counting reads every row.
const countEvery = 10 * time.Second

// appointments counts appointments by state; nil if the registry cannot be read.
func (c *collector) appointments() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.s.now()
	if c.states != nil && now.Sub(c.counted) < countEvery {
		return c.states
	}
	list, err := c.s.registry.List(context.Background())
	if err != nil && !errors.Is(err, registry.ErrDamaged) {
		c.s.Failed("the registry cannot be read", err)
		c.states = nil
		return nil
	}
	c.counted, c.states = now, map[string]int{"upcoming": 0, "open": 0, "over": 0, "revoked": 0}
	for _, a := range list {
		if a.Test {
			continue // a test is no appointment
		}
		c.states[string(a.State(now))]++
	}
	return c.states
}

// held summarizes the rooms.
type held struct {
	sessions      map[string]int // by transport
	consultations int            // rooms with more than one session
	frames, bytes int            // in the sessions' queues
}

func (r *rooms) count() held {
	h := held{sessions: map[string]int{string(overSocket): 0, string(overPoll): 0, "away": 0}}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.sessions {
		transport := "away"
		if s.link != nil {
			transport = string(s.transport)
		}
		h.sessions[transport]++
		h.frames += len(s.queue)
		h.bytes += s.waiting
	}
	for _, in := range r.byID {
		if len(in.seats) > 1 {
			h.consultations++
		}
	}
	return h
}
