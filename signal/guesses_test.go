package signal

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"praxisrelay/signal/admin/admintest"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/code"
	"praxisrelay/signal/limit"
	"praxisrelay/signal/protocol"
	"praxisrelay/signal/registry"
	"praxisrelay/signal/token"
)

// slow is a registry that delays one kind of request until the expected number of callers is
// waiting.
type slow struct {
	registry.Registry
	mu     sync.Mutex
	kind   string
	absent int
	there  chan struct{}
}

func slowed(into **slow) func(*Options) {
	return func(o *Options) {
		*into = &slow{Registry: o.Registry}
		o.Registry = *into
	}
}

func (s *slow) expect(callers int, kind string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kind, s.absent, s.there = kind, callers, make(chan struct{})
}

func (s *slow) arrive(kind string) {
	s.mu.Lock()
	if kind != s.kind {
		s.mu.Unlock()
		return
	}
	there := s.there
	if s.absent--; s.absent == 0 {
		close(there)
	}
	s.mu.Unlock()
	<-there
}

// missing returns how many callers it still waits for.
func (s *slow) missing() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.absent
}

func (s *slow) Find(ctx context.Context, lookups ...appointment.Lookup) (appointment.Appointment, appointment.Seat, error) {
	s.arrive("Find")
	return s.Registry.Find(ctx, lookups...)
}

func (s *slow) Get(ctx context.Context, id string) (appointment.Appointment, error) {
	s.arrive("Get")
	return s.Registry.Get(ctx, id)
}

func (s *slow) Token(ctx context.Context, id string) (token.Token, error) {
	s.arrive("Token")
	return s.Registry.Token(ctx, id)
}

// sideBySide makes n calls at once and counts their results.
func sideBySide(n int, call func(i int) string) map[string]int {
	var (
		mu    sync.Mutex
		calls sync.WaitGroup
	)
	came := map[string]int{}
	for i := range n {
		calls.Go(func() {
			what := call(i)
			mu.Lock()
			defer mu.Unlock()
			came[what]++
		})
	}
	calls.Wait()
	return came
}

// shows presents a code that the server knows from an address, and returns the outcome.
func (l *lab) shows(from netip.Addr, token [32]byte) string {
	_, _, failure := l.admit(l.Context(), from, overPoll, protocol.Join{Token: token[:], Epoch: strings.Repeat("A", 22)})
	if failure == nil {
		return "in"
	}
	return string(failure.Code)
}

var here = netip.MustParseAddr("198.51.100.1")

func wrong(i int) [32]byte { return code.Keys{JoinToken: [32]byte{1, byte(i), byte(i >> 8)}}.JoinToken }

// TestGuessesSideBySideAreNoMoreThanInTurn, however slow the registry is, and their cost is
// forgiven just as soon.
func TestGuessesSideBySideAreNoMoreThanInTurn(t *testing.T) {
	const tries = 60
	var registry *slow
	l := newLab(t, slowed(&registry))
	_, _, patient := l.seats(day)
	registry.expect(tries, "Find")
	told := sideBySide(tries, func(i int) string { return l.shows(here, wrong(i)) })
	if told[string(protocol.UnknownCode)] != limit.GuessBurst || told[string(protocol.Limited)] != tries-limit.GuessBurst {
		t.Errorf("told %v, want %d judged", told, limit.GuessBurst)
	}
	if got := l.shows(here, patient.JoinToken); got != string(protocol.Limited) {
		t.Errorf("a right code then: %s", got)
	}
	l.at(day.Add(limit.GuessInterval))
	if got := l.shows(here, patient.JoinToken); got != "in" {
		t.Errorf("a right code %v later: %s", limit.GuessInterval, got)
	}
}

// TestARightCodeAmongTooManyIsNotTold, although it was looked up before there were too many.
func TestARightCodeAmongTooManyIsNotTold(t *testing.T) {
	var registry *slow
	l := newLab(t, slowed(&registry))
	_, _, patient := l.seats(day)
	registry.expect(2, "Find") // held up until another one comes
	told := make(chan string)
	go func() { told <- l.shows(here, patient.JoinToken) }()
	for registry.missing() != 1 {
	}
	for i := range limit.GuessBurst {
		l.guesses.Judge(day, here, appointment.Lookup{byte(i)}, false)
	}
	l.shows(netip.MustParseAddr("192.0.2.9"), wrong(0))
	if got := <-told; got != string(protocol.Limited) {
		t.Errorf("told %s", got)
	}
}

// TestACrowdBehindOneAddressIsLetIn when the network is one wrong code short of its limit.
func TestACrowdBehindOneAddressIsLetIn(t *testing.T) {
	const patients = 100
	var registry *slow
	l := newLab(t, slowed(&registry))
	var tokens [][32]byte
	for range patients {
		_, _, patient := l.seats(day)
		tokens = append(tokens, patient.JoinToken)
	}
	for i := range limit.GuessBurst - 1 {
		if got := l.shows(here, wrong(i)); got != string(protocol.UnknownCode) {
			t.Fatalf("wrong code %d: %s", i, got)
		}
	}
	registry.expect(patients, "Find")
	if told := sideBySide(patients, func(i int) string { return l.shows(here, tokens[i]) }); told["in"] != patients {
		t.Errorf("told %v", told)
	}
}

// TestWrongTokensSideBySideAreNoMoreThanInTurn does the same for access tokens.
func TestWrongTokensSideBySideAreNoMoreThanInTurn(t *testing.T) {
	const tries = 60
	var registry *slow
	l := newLab(t, slowed(&registry))
	a := l.api()
	registry.expect(tries, "Token")
	told := sideBySide(tries, func(int) string { return a.Told("GET", "/v1/info", "") })
	if told["unauthorized"] != limit.GuessBurst || told["limited"] != tries-limit.GuessBurst {
		t.Errorf("told %v, want %d judged", told, limit.GuessBurst)
	}
	l.at(day.Add(limit.GuessInterval))
	if got := a.Told("GET", "/v1/info", ""); got != "unauthorized" {
		t.Errorf("%v later: %s", limit.GuessInterval, got)
	}
}

// TestCodesAreNotGuessedThroughReissue: a token gets as many wrong guesses as a network, even side
// by side, wherever it is used. Other tokens and patients do not pay for them.
func TestCodesAreNotGuessedThroughReissue(t *testing.T) {
	const tries = 60
	var registry *slow
	l := newLab(t, slowed(&registry))
	a := quick(l).api().With(token.Appointments)
	other := a.With(token.Appointments)
	made := admintest.Created(t, a.Ask("POST", "/v1/appointments", admintest.PlainBody))
	_, _, patient := l.seats(day)
	seat := "/v1/appointments/" + made.ID + "/seats/patient"
	with := func(code string) string { return `{"with":{"seat":"doctor","code":"` + code + `"}}` }

	registry.expect(tries, "Get")
	told := sideBySide(tries, func(i int) string {
		elsewhere := *a
		elsewhere.From = fmt.Sprintf("192.0.2.%d:1000", i)
		return elsewhere.Told("PUT", seat, with("KTRW-BZMF-QHDF"))
	})
	if told["wrong-code"] != limit.GuessBurst || told["limited"] != tries-limit.GuessBurst {
		t.Errorf("told %v, want %d judged", told, limit.GuessBurst)
	}
	w := a.Ask("PUT", seat, with(made.Seats[0].Code))
	if admintest.ProblemOf(t, w) != "limited" || w.Header().Get("Retry-After") != fmt.Sprint(limit.GuessInterval.Seconds()) {
		t.Errorf("the right code then: %d %v %s", w.Code, w.Header(), w.Body)
	}
	if got := l.shows(netip.MustParseAddrPort(a.From).Addr(), patient.JoinToken); got != "in" {
		t.Errorf("a patient of that network: %s", got)
	}
	if got := other.Told("PUT", seat, with(made.Seats[0].Code)); got != "done" {
		t.Errorf("with another token: %s", got)
	}
	l.at(day.Add(limit.GuessInterval))
	if got := a.Told("PUT", seat, with("KTRW-BZMF-QHDF")); got != "wrong-code" {
		t.Errorf("%v later: %s", limit.GuessInterval, got)
	}
}
