package signal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"praxisrelay/signal/admin"
	"praxisrelay/signal/admin/admintest"
	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/client"
	"praxisrelay/signal/code"
	"praxisrelay/signal/front"
	"praxisrelay/signal/journal"
	"praxisrelay/signal/protocol"
	"praxisrelay/signal/registry"
	"praxisrelay/signal/seal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lab is a server on a clock that the test controls, behind real TLS and WebSockets.
type lab struct {
	*testing.T
	*Server
	adm   *admin.Server
	web   *httptest.Server
	relay *fakeRelay

	mu  sync.Mutex
	now time.Time
}

// fakeRelay records signaling's calls to the relay.
type fakeRelay struct {
	mu      sync.Mutex
	revoked []string
	minted  int
	last    Holder // holder of the last credential minted
}

func (f *fakeRelay) ICEServers(h Holder) ([]protocol.ICEServer, time.Time, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.minted++
	f.last = h
	return []protocol.ICEServer{{URLs: []string{"turn:relay"}, Username: h.Appointment + "." + h.Seat}}, day.Add(8 * time.Hour), nil
}

func (f *fakeRelay) Revoke(appointment, seat string, generation int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if seat == "" {
		f.revoked = append(f.revoked, appointment)
		return
	}
	f.revoked = append(f.revoked, fmt.Sprintf("%s.%s<%d", appointment, seat, generation))
}

func (f *fakeRelay) Forget(appointment string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.revoked = slices.DeleteFunc(f.revoked, func(what string) bool { return strings.HasPrefix(what, appointment) })
}

func (f *fakeRelay) Allocations(string) []journal.Allocation { return nil }

var day = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

// newLab returns a lab; options may change the server's options.
func newLab(t *testing.T, options ...func(*Options)) *lab {
	t.Helper()
	registry, err := registry.Open(filepath.Join(t.TempDir(), "registry.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { registry.Close() })
	pepper, err := appointment.NewPepper([]byte("a pepper of some length"))
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{T: t, relay: new(fakeRelay), now: day}
	o := Options{
		Name: "relay.test", URL: "https://relay.test/", Rounds: code.Rounds, Registry: registry,
		Pepper: pepper, Relay: l.relay,
		Now: l.clock, Log: slog.New(slog.DiscardHandler),
	}
	for _, change := range options {
		change(&o)
	}
	l.Server, err = New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	l.adm = admin.New(admin.Options{
		Signaling: l.Server, Registry: o.Registry, Pepper: pepper,
		Status: func() api.Status { return admintest.Status(day) }, Now: l.clock, Log: o.Log,
	})
	l.web = httptest.NewTLSServer(l.site())
	t.Cleanup(func() {
		select {
		case <-l.stopping:
		default:
			close(l.stopping)
		}
		l.web.Close()
	})
	return l
}

// site is the handler for clients.
func (l *lab) site() http.Handler {
	mux := http.NewServeMux()
	l.Routes(mux)
	return front.Secured("relay.test", mux)
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
func (l *lab) api() *admintest.API { return admintest.New(l.T, l.adm) }

func (l *lab) admin(method, path string, body any) (int, string) {
	l.Helper()
	return l.api().Socket(method, path, body)
}

func (l *lab) seats(opens time.Time) (id string, doctor, patient code.Keys) {
	l.Helper()
	return l.api().Seats(opens)
}

func (l *lab) join(keys code.Keys) *client.Session {
	l.Helper()
	return l.joinWith(client.Dialer{HTTP: l.web.Client(), Server: l.web.URL}, keys)
}

func (l *lab) joinWith(d client.Dialer, keys code.Keys) *client.Session {
	l.Helper()
	s, err := d.JoinWithKeys(l.Context(), keys)
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { s.Close() })
	return s
}

func (l *lab) refused(keys code.Keys) *protocol.Error {
	l.Helper()
	s, err := client.Dialer{HTTP: l.web.Client(), Server: l.web.URL}.JoinWithKeys(l.Context(), keys)
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

// next returns the next event other than ICE servers, which come unasked.
func next(t *testing.T, s *client.Session) client.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		e, err := s.Receive(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if e.ICE == nil {
			return e
		}
	}
}

func waitICE(t *testing.T, s *client.Session) protocol.ICE {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	ice, err := s.WaitICE(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return ice
}

func ends(t *testing.T, s *client.Session, want protocol.Code) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		_, err := s.Receive(ctx)
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

func TestTwoSeatsMeetAndTalk(t *testing.T) {
	for name, poll := range map[string][2]bool{"sockets": {}, "polls": {true, true}, "one of each": {false, true}} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			id, doctorKeys, patientKeys := l.seats(day)
			by := func(poll bool) client.Dialer {
				return client.Dialer{HTTP: l.web.Client(), Server: l.web.URL, Poll: poll}
			}
			doctor := l.joinWith(by(poll[0]), doctorKeys)
			if w := doctor.Welcome; w.Appointment != id || w.Seat != "doctor" || len(w.Present) != 0 ||
				!w.Opens.Equal(day) || !w.Closes.Equal(day.Add(appointment.Length)) {
				t.Errorf("welcome %+v", w)
			}
			if ice := waitICE(t, doctor); ice.Servers[0].Username != id+".doctor" || ice.Lifetime != 8*60*60 {
				t.Errorf("ICE servers %+v", ice)
			}
			patient := l.joinWith(by(poll[1]), patientKeys)
			joined := next(t, doctor).Joined
			if joined == nil || joined.Seat != "patient" || joined.Epoch != patient.Epoch() || !joined.Admitted {
				t.Fatalf("joined %v", joined)
			}
			if there := next(t, patient).Joined; there == nil || there.Seat != "doctor" || there.Epoch != doctor.Epoch() {
				t.Fatalf("the patient sees %v", there)
			}
			for i := range 5 {
				text := fmt.Sprintf("message %d", i)
				doctor.Send(*joined, []byte(text))
				m := next(t, patient).Message
				if m == nil || string(m.Plain) != text || m.Finding != "" || m.From.Epoch != doctor.Epoch() {
					t.Fatalf("got %+v", m)
				}
				patient.Send(m.From, []byte("answer to "+text))
				if m := next(t, doctor).Message; m == nil || string(m.Plain) != "answer to "+text {
					t.Fatalf("got %+v", m)
				}
			}
			patient.Close()
			if left := next(t, doctor).Left; left == nil || *left != *joined {
				t.Errorf("left %v", left)
			}
			doctor.Send(*joined, []byte("hello?"))
			if absent := next(t, doctor).Absent; absent == nil || absent.Epoch != joined.Epoch || absent.Seq != 5 {
				t.Errorf("to a session that is gone: %v", absent)
			}
			// S3: the code works again.
			again := l.join(patientKeys)
			if joined := next(t, doctor).Joined; joined == nil || joined.Epoch != again.Epoch() {
				t.Errorf("joined %v", joined)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	l := newLab(t)
	id, doctor, patient := l.seats(day.Add(time.Hour))
	if e := l.refused(doctor); e.Code != protocol.TooEarly || !e.Opens.Equal(day.Add(time.Hour)) {
		t.Errorf("too early: %+v", e)
	}
	l.at(day.Add(time.Hour))
	if e := l.refused(doctor); e.Code != "" {
		t.Errorf("at the start: %+v", e)
	}
	l.at(day.Add(25 * time.Hour))
	if e := l.refused(doctor); e.Code != protocol.Over {
		t.Errorf("over: %+v", e)
	}
	l.at(day.Add(2 * time.Hour))
	unknown := l.refused(code.Keys{})
	if unknown.Code != protocol.UnknownCode {
		t.Errorf("unknown: %+v", unknown)
	}
	live := l.join(patient)
	if status, _ := l.admin("DELETE", "/v1/appointments/"+id, ""); status != http.StatusOK {
		t.Errorf("revoke: %d", status)
	}
	ends(t, live, protocol.Revoked)
	// Seen from outside, a revoked code never existed.
	if e := l.refused(patient); *e != *unknown {
		t.Errorf("revoked: %+v, unknown: %+v", e, unknown)
	}
	if !slices.Contains(l.relay.revoked, id) {
		t.Error("the relay was not told")
	}
	// A restarted daemon informs its relay again.
	l.relay.revoked = nil
	if _, err := New(t.Context(), Options{
		Rounds: code.Rounds, Registry: l.registry, Pepper: l.pepper, Relay: l.relay, Now: l.clock,
	}); err != nil || !slices.Contains(l.relay.revoked, id) {
		t.Errorf("after a restart: %v, %v", l.relay.revoked, err)
	}
}

func TestASecondSessionReplacesTheFirst(t *testing.T) {
	l := newLab(t)
	_, doctorKeys, patientKeys := l.seats(day)
	doctor, first := l.join(doctorKeys), l.join(patientKeys)
	next(t, doctor) // joined
	second := l.join(patientKeys)
	ends(t, first, protocol.Replaced)
	if joined := next(t, doctor).Joined; joined == nil {
		t.Error("the doctor was not told of the second session")
	}
	// When the first leaves, the second keeps the seat.
	second.Send(second.Welcome.Present[0], []byte("still here"))
	if m := next(t, doctor).Message; m == nil || string(m.Plain) != "still here" {
		t.Errorf("got %v", m)
	}
}

// TestBadFrames: each gets the protocol's answer, if there is one, never a crash, and the server
// carries on.
func TestBadFrames(t *testing.T) {
	l := newLab(t)
	_, doctor, _ := l.seats(day)
	join, err := json.Marshal(protocol.FromClient{Join: &protocol.Join{Token: doctor.JoinToken[:], Epoch: seal.NewEpoch()}})
	if err != nil {
		t.Fatal(err)
	}
	for name, frames := range map[string][]string{
		"not JSON":             {"hello"},
		"empty":                {""},
		"null":                 {"null"},
		"an array":             {"[]"},
		"no member":            {"{}"},
		"an unknown member":    {`{"hello":{}}`},
		"two members":          {`{"join":{},"send":{}}`},
		"two objects":          {string(join) + "{}"},
		"an unknown field":     {`{"join":{"token":"","epoch":"","extra":1}}`},
		"a token of no base64": {`{"join":{"token":"!","epoch":""}}`},
		"a short epoch":        {`{"join":{"token":"AAAA","epoch":"AAAA"}}`},
		"send before join":     {`{"n":1,"send":{"to":"patient","epoch":"AAAAAAAAAAAAAAAAAAAAAA","seq":0,"sealed":"AA=="}}`},
		"join twice":           {string(join), string(join)},
		"a negative number":    {string(join), `{"n":1,"send":{"to":"patient","epoch":"AAAAAAAAAAAAAAAAAAAAAA","seq":-1,"sealed":"AA=="}}`},
		"no number":            {string(join), `{"send":{"to":"patient","epoch":"AAAAAAAAAAAAAAAAAAAAAA","seq":0,"sealed":"AA=="}}`},
		"a number too high":    {string(join), `{"n":2,"ice":{}}`},
		"a seq beyond 2^53":    {string(join), `{"n":1,"send":{"to":"patient","epoch":"AAAAAAAAAAAAAAAAAAAAAA","seq":9007199254740992,"sealed":"AA=="}}`},
		"a numbered ack":       {string(join), `{"n":1,"ack":1}`},
		"an ack of nothing":    {string(join), `{"ack":99}`},
		"another case":         {string(join), `{"Ack":0}`},
		"a member twice":       {string(join), `{"ack":0,"ack":0}`},
		"an epoch of lines":    {strings.Replace(string(join), `"}}`, strings.Repeat(`\n`, 1000)+`"}}`, 1)},
		"a seat of no room":    {string(join), `{"n":1,"send":{"to":"guest","epoch":"AAAAAAAAAAAAAAAAAAAAAA","seq":0,"sealed":"AA=="}}`},
		"a receiver's epoch":   {string(join), `{"n":1,"send":{"to":"patient","epoch":"<","seq":0,"sealed":"AA=="}}`},
		"an admitted epoch":    {string(join), `{"n":1,"admit":{"seat":"patient","epoch":"x"}}`},
		"an admitted seat":     {string(join), `{"n":1,"admit":{"seat":"test","epoch":"AAAAAAAAAAAAAAAAAAAAAA"}}`},
		"nested deeply":        {string(join), strings.Repeat(`[`, 8000)},
	} {
		t.Run(name, func(t *testing.T) {
			l.at(l.clock().Add(joinInterval))
			if got := l.exchange(t, websocket.MessageText, frames); got.Code != protocol.BadRequest {
				t.Errorf("got %+v", got)
			}
		})
	}
	t.Run("binary", func(t *testing.T) {
		if got := l.exchange(t, websocket.MessageBinary, []string{string(join)}); got.Code != protocol.BadRequest {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("over-long", func(t *testing.T) {
		socket := l.dial(t)
		_ = socket.Write(t.Context(), websocket.MessageText, []byte(strings.Repeat(" ", protocol.MaxFrame+1)))
		for {
			if _, _, err := socket.Read(t.Context()); err != nil {
				if websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
					t.Errorf("closed with %v, want 1009", err)
				}
				return
			}
		}
	})
	t.Run("another subprotocol", func(t *testing.T) {
		socket, _, err := websocket.Dial(t.Context(), l.web.URL+"/v1/signal", &websocket.DialOptions{HTTPClient: l.web.Client()})
		if err != nil {
			t.Fatal(err)
		}
		defer socket.CloseNow()
		if _, _, err := socket.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
			t.Errorf("closed with %v, want 1008", err)
		}
	})
	t.Run("another origin", func(t *testing.T) {
		_, response, err := websocket.Dial(t.Context(), l.web.URL+"/v1/signal", &websocket.DialOptions{
			HTTPClient: l.web.Client(), Subprotocols: []string{protocol.Subprotocol},
			HTTPHeader: http.Header{"Origin": {"https://elsewhere.test"}},
		})
		if err == nil || response.StatusCode != http.StatusForbidden {
			t.Errorf("got %v, %v", response, err)
		}
	})
	l.join(doctor)
}

func (l *lab) dial(t *testing.T) *websocket.Conn {
	t.Helper()
	socket, _, err := websocket.Dial(t.Context(), l.web.URL+"/v1/signal", &websocket.DialOptions{
		HTTPClient: l.web.Client(), Subprotocols: []string{protocol.Subprotocol},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.CloseNow() })
	return socket
}

// exchange sends frames and returns the error that precedes the socket's close.
func (l *lab) exchange(t *testing.T, kind websocket.MessageType, frames []string) (got protocol.Error) {
	t.Helper()
	socket := l.dial(t)
	for _, frame := range frames {
		if err := socket.Write(t.Context(), kind, []byte(frame)); err != nil {
			t.Fatal(err)
		}
	}
	for {
		_, text, err := socket.Read(t.Context())
		if err != nil {
			if websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
				t.Errorf("closed with %v, want 1008", err)
			}
			return got
		}
		var frame protocol.FromServer
		if err := json.Unmarshal(text, &frame); err != nil {
			t.Fatal(err)
		}
		if frame.Error != nil {
			got = *frame.Error
		}
	}
}

func TestStoppingServerTellsItsSessions(t *testing.T) {
	l := newLab(t)
	_, doctor, _ := l.seats(day)
	s := l.raw(joining(doctor, seal.NewEpoch()))
	s.hear()
	close(l.stopping)
	if code := s.error(); code != protocol.Unavailable {
		t.Errorf("the session ended with %s", code)
	}
}

func TestEveryAnswerHasTheSecurityHeaders(t *testing.T) {
	l := newLab(t)
	for _, path := range []string{"/", "/app.js", "/style.css", "/icon.svg", "/v1/info", "/nothing", "/../server.go"} {
		response, err := l.web.Client().Get(l.web.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		csp := response.Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: CSP %q", path, csp)
		}
		for _, header := range []string{"Referrer-Policy", "X-Content-Type-Options", "Permissions-Policy", "Strict-Transport-Security"} {
			if response.Header.Get(header) == "" {
				t.Errorf("%s: no %s", path, header)
			}
		}
		found := path != "/nothing" && path != "/../server.go"
		if (response.StatusCode == 200) != found || len(body) == 0 {
			t.Errorf("%s: %s, %d bytes", path, response.Status, len(body))
		}
		// S11: the page loads nothing from elsewhere.
		if path == "/" && strings.Contains(string(body), "://") {
			t.Error("the page names another host")
		}
	}
}

// TestPageTakesTheCodeOutOfAPath: if a mail program escaped or dropped a link's #, the answer is
// the page, which is not cached, and nothing is logged.
func TestPageTakesTheCodeOutOfAPath(t *testing.T) {
	var log bytes.Buffer
	l := newLab(t, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	get := func(path string) (*http.Response, string) {
		t.Helper()
		response, err := l.web.Client().Get(l.web.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response, string(body)
	}
	_, page := get("/")
	for _, path := range []string{
		"/%23KTRW-BZMF-QHDF", "/%2523KTRW-BZMF-QHDF", "/%252523KTRW-BZMF-QHDF", "/KTRW-BZMF-QHDF", "/ktrwbzmfqhdf", "/index.html%23KTRW-BZMF-QHDF",
		"/a/b%23KTRW-BZMF-QHDF", "/%23KTRW-BZMF-QHDF?utm_source=mail", "/%23KTRW-BZMF-QHDB", "//%23KTRW-BZMF-QHDF", "/%23KTRW%E2%80%91BZMF%E2%80%91QHDF",
	} {
		response, body := get(path)
		if response.StatusCode != http.StatusOK || body != page || response.Header.Get("Cache-Control") != "no-store" ||
			response.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: %s, %v", path, response.Status, response.Header)
		}
	}
	for _, path := range []string{"/KTRW-BZMF-QHDB", "/nothing"} {
		if response, body := get(path); response.StatusCode != http.StatusNotFound || strings.Contains(body, "KTRW") {
			t.Errorf("%s: %s, %q", path, response.Status, body)
		}
	}
	if log.Len() > 0 {
		t.Errorf("logged: %s", &log)
	}
}

// TestClientsAreToldWhichMethodsThereAre when a path of theirs has others.
func TestClientsAreToldWhichMethodsThereAre(t *testing.T) {
	handler := newLab(t).site()
	for path, allow := range map[string]string{"/v1/info": "GET, HEAD", "/v1/signal": "GET, HEAD, POST", "/healthz": "GET, HEAD", "/": "GET, HEAD, OPTIONS"} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodDelete, path, nil))
		if got := w.Header().Get("Allow"); w.Code != http.StatusMethodNotAllowed || got != allow {
			t.Errorf("DELETE %s: %d, Allow: %q, want %q", path, w.Code, got, allow)
		}
	}
}

func TestServerDoesNotStartInsecure(t *testing.T) {
	l := newLab(t)
	for name, o := range map[string]Options{
		"no pepper":  {Rounds: code.Rounds, Registry: l.registry},
		"few rounds": {Rounds: code.MinRounds - 1, Pepper: l.pepper, Registry: l.registry},
		"many":       {Rounds: code.MaxRounds + 1, Pepper: l.pepper, Registry: l.registry},
	} {
		if _, err := New(t.Context(), o); err == nil {
			t.Errorf("%s: it starts", name)
		}
	}
}

func FuzzDecodeFrame(f *testing.F) {
	f.Add([]byte(`{"join":{"token":"AAAA","epoch":"x"}}`))
	f.Add([]byte(`{"resume":{"session":"AAAA","received":3}}`))
	f.Add([]byte(`{"n":1,"send":{"to":"patient","epoch":"x","seq":18446744073709551615,"sealed":"AA=="}}`))
	f.Add([]byte(`{"n":1,"admit":{"seat":"patient","epoch":"x"}}`))
	f.Add([]byte(`{"join":null,"send":null}`))
	f.Add([]byte(`{"ack":0}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		frame, err := decodeFrame(text)
		if err != nil {
			return
		}
		again, err := json.Marshal(frame)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := decodeFrame(again); err != nil || !reflect.DeepEqual(same.FromClient, frame.FromClient) {
			t.Fatalf("%s became %s: %v", text, again, err)
		}
	})
}

func FuzzDecodePoll(f *testing.F) {
	f.Add([]byte(`{"frames":[{"join":{"token":"AAAA","epoch":"x"}},{"ack":1},{"leave":{}}]}`))
	f.Add([]byte(`{"frames":[null]}`))
	f.Add([]byte(`{"frames":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		frames, err := decodePoll(body, 100)
		if err != nil {
			return
		}
		for i, frame := range frames {
			if i > 0 && (frame.Join != nil || frame.Resume != nil) || frame.Numbered() != (frame.N > 0) {
				t.Fatalf("%s: frame %d is %+v", body, i, frame)
			}
		}
		if len(frames) == 0 || len(frames) > protocol.MaxPollFrames {
			t.Fatalf("%s: %d frames", body, len(frames))
		}
	})
}
