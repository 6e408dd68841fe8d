package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"praxisrelay/signal"
	"praxisrelay/signal/admin/admintest"
	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/client"
	"praxisrelay/signal/code"
	"praxisrelay/signal/journal"
	"praxisrelay/signal/protocol"
	"praxisrelay/signal/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lab is an admin API with its signaling, on a clock that the test controls. Clients join over real
// TLS.
type lab struct {
	*testing.T
	*Server
	info  protocol.Info // given to the admin API
	web   *httptest.Server
	relay *fakeRelay

	mu  sync.Mutex
	now time.Time
}

// fakeRelay records revocations.
type fakeRelay struct{ revoked []string }

func (f *fakeRelay) ICEServers(signal.Holder) ([]protocol.ICEServer, time.Time, error) {
	return []protocol.ICEServer{{URLs: []string{"turn:relay"}}}, day.Add(8 * time.Hour), nil
}

func (f *fakeRelay) Revoke(appointment, seat string, generation int) {
	f.revoked = append(f.revoked, fmt.Sprintf("%s.%s<%d", appointment, seat, generation))
}

func (f *fakeRelay) Forget(string) {}

func (f *fakeRelay) Allocations(string) []journal.Allocation { return nil }

// informed is a signaling that reports the test's own info to the lab's admin API.
type informed struct {
	*signal.Server
	l *lab
}

func (i informed) Info() protocol.Info { return i.l.info }

var day = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

// newLab returns a lab; options may change the signaling's options.
func newLab(t *testing.T, options ...func(*signal.Options)) *lab {
	t.Helper()
	kept, err := registry.Open(filepath.Join(t.TempDir(), "registry.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kept.Close() })
	pepper, err := appointment.NewPepper([]byte("a pepper of some length"))
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{T: t, relay: new(fakeRelay), now: day}
	o := signal.Options{
		Name: "relay.test", URL: "https://relay.test/", Rounds: code.Rounds, Registry: kept, Pepper: pepper,
		Relay: l.relay, Now: l.clock, Log: slog.New(slog.DiscardHandler),
	}
	for _, change := range options {
		change(&o)
	}
	server, err := signal.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	l.info = server.Info()
	l.Server = New(Options{
		Signaling: informed{server, l}, Registry: o.Registry, Pepper: pepper,
		Status: func() api.Status { return admintest.Status(day) }, Now: l.clock, Log: o.Log,
	})
	mux := http.NewServeMux()
	server.Routes(mux)
	l.web = httptest.NewTLSServer(mux)
	t.Cleanup(l.web.Close)
	return l
}

func (l *lab) clock() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

func (l *lab) at(t time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = t
}

// api is the admin API for a caller without a token.
func (l *lab) api() *admintest.API { return admintest.New(l.T, l.Server) }

func (l *lab) admin(method, path string, body any) (int, string) {
	l.Helper()
	return l.api().Socket(method, path, body)
}

func (l *lab) seats(opens time.Time) (id string, doctor, patient code.Keys) {
	l.Helper()
	return l.api().Seats(opens)
}

// quick reduces a lab's stretching, which is not under test.
func quick(l *lab) *lab {
	l.info.Rounds = 1000
	return l
}

// keysOf stretches a seat's code.
func (l *lab) keysOf(text string) code.Keys {
	l.Helper()
	c, err := code.Parse(text)
	if err != nil {
		l.Fatal(err)
	}
	keys, err := c.Derive(l.info.Salt, l.info.Rounds)
	if err != nil {
		l.Fatal(err)
	}
	return keys
}

func (l *lab) dialer() client.Dialer {
	return client.Dialer{HTTP: l.web.Client(), Server: l.web.URL}
}

func (l *lab) join(keys code.Keys) *client.Session {
	l.Helper()
	s, err := l.dialer().JoinWithKeys(l.Context(), keys)
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { s.Close() })
	return s
}

func (l *lab) refused(keys code.Keys) *protocol.Error {
	l.Helper()
	s, err := l.dialer().JoinWithKeys(l.Context(), keys)
	if err == nil {
		s.Close()
		return &protocol.Error{}
	}
	refused := new(protocol.Error)
	if !errors.As(err, &refused) {
		l.Fatal(err)
	}
	return refused
}

// receive returns the next event, or the session's end as an error.
func receive(t *testing.T, s *client.Session) (client.Event, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return s.Receive(ctx)
}

// next returns the next event other than ICE servers, which come unasked.
func next(t *testing.T, s *client.Session) client.Event {
	t.Helper()
	for {
		e, err := receive(t, s)
		if err != nil {
			t.Fatal(err)
		}
		if e.ICE == nil {
			return e
		}
	}
}

func ends(t *testing.T, s *client.Session, want protocol.Code) {
	t.Helper()
	for {
		_, err := receive(t, s)
		if err == nil {
			continue
		}
		refused := new(protocol.Error)
		if !errors.As(err, &refused) || refused.Code != want {
			t.Fatalf("the session ended with %v, want %s", err, want)
		}
		return
	}
}
