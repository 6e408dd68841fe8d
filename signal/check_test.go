package signal

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"praxisrelay/signal/admin/admintest"
	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/client"
	"praxisrelay/signal/code"
	"praxisrelay/signal/protocol"
	"praxisrelay/signal/seal"
	"praxisrelay/signal/token"
)

var publicKey = bytes.Repeat([]byte{7}, 32)

func keyed(o *Options) { o.Key = func() []byte { return publicKey } }

// test makes a test code as the commands do, but without stretching.
func (l *lab) test() (id string, keys code.Keys) {
	l.Helper()
	keys.JoinToken, keys.SealKey = seal.NewRoomKey(), seal.NewRoomKey()
	verifier, id := keys.Verifier(), appointment.NewID()
	status, body := l.admin("POST", "/v1/appointments", api.NewAppointment{ID: id, Test: true, Seats: []api.NewSeat{{
		Name: appointment.Test, Verifier: verifier[:], RoomKey: seal.TestKey(publicKey).Wrap(keys.SealKey, id, appointment.Test),
	}}})
	if status != http.StatusCreated {
		l.Fatalf("%d %s", status, body)
	}
	return id, keys
}

func (l *lab) checking(keys code.Keys) client.Check {
	return client.Check{Dialer: client.Dialer{HTTP: l.web.Client(), Server: l.web.URL}, Keys: keys}
}

// TestATestIsNoConsultation: a test code yields its own credential and the appliance's key, for
// minutes, and appears in no list.
func TestATestIsNoConsultation(t *testing.T) {
	l := newLab(t, keyed, func(o *Options) { o.Waiting = true })
	id, keys := l.test()
	b, err := l.checking(keys).Join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if w := b.Welcome; w.Seat != appointment.Test || !w.Opens.Equal(day) || !w.Closes.Equal(day.Add(appointment.TestLength)) {
		t.Errorf("%+v", w)
	}
	if b.ICE == nil || b.ICE.Servers[0].Username != id+".test" || !bytes.Equal(b.RoomKey[:], publicKey) {
		t.Errorf("%+v", b)
	}
	l.seats(day)
	if _, list := l.admin("GET", "/v1/appointments", ""); strings.Contains(list, id) || strings.Count(list, `"id"`) != 1 {
		t.Errorf("listed: %s", list)
	}
	if _, one := l.admin("GET", "/v1/appointments/"+id, ""); !strings.Contains(one, `"test":true`) || !strings.Contains(one, `"used":false`) {
		t.Errorf("%s", one)
	}
	var told api.Status
	if _, said := l.admin("GET", "/v1/status", ""); json.Unmarshal([]byte(said), &told) != nil || told.Appointments != (api.AppointmentCounts{Open: 1}) {
		t.Errorf("counted: %s", said)
	}
	if counted := (&collector{s: l.Server}).appointments(); counted["open"] != 1 {
		t.Errorf("measured: %v", counted)
	}
	// Even a client that does not declare itself a check cannot take the seat.
	l.join(keys)
	if seated := l.rooms.seated(id); len(seated) != 0 {
		t.Errorf("seated: %q", seated)
	}
	if told := l.explained(id); told.Cause != "test" || len(told.Events) != 0 {
		t.Errorf("explained as %s: %+v", told.Cause, told.Events)
	}
	l.at(day.Add(appointment.TestLength))
	if refused := l.refused(keys); refused.Code != protocol.Over {
		t.Errorf("when it is over: %v", refused)
	}
}

// TestTheServerMakesTests, within bounds, for software that shows a token.
func TestTheServerMakesTests(t *testing.T) {
	l := newLab(t, keyed)
	a := quick(l).api().With(token.Appointments)
	made := admintest.Created(t, a.Ask("POST", "/v1/appointments", `{"test":true}`))
	if !made.Test || made.SealedBy != api.ByServer || len(made.Seats) != 1 || made.Seats[0].Name != appointment.Test {
		t.Fatalf("%+v", made)
	}
	b, err := l.checking(l.keysOf(made.Seats[0].Code)).Join(t.Context())
	if err != nil || !bytes.Equal(b.RoomKey[:], publicKey) {
		t.Errorf("%+v, %v", b, err)
	}
	for _, body := range []string{
		`{"test":true,"closes":"2026-12-01T11:00:01Z"}`, `{"test":true,"opens":"2026-12-01T09:00:00Z","closes":"2026-12-02T09:00:00Z"}`, `{}`,
	} {
		if got := admintest.ProblemOf(t, a.Ask("POST", "/v1/appointments", body)); got != "invalid" {
			t.Errorf("%s: %s", body, got)
		}
	}
}

// TestACheckDisturbsNobody: checking the code of a running consultation notifies, replaces and
// reaches nobody, and does not use the code up.
func TestACheckDisturbsNobody(t *testing.T) {
	l := newLab(t, func(o *Options) { o.Waiting = true })
	id, doctorKeys, patientKeys := l.seats(day)
	check := l.checking(doctorKeys)
	if _, err := check.Join(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, one := l.admin("GET", "/v1/appointments/"+id, ""); strings.Contains(one, `"used":true`) {
		t.Errorf("a check used the code: %s", one)
	}
	doctor, patient := l.join(doctorKeys), l.join(patientKeys)
	there := next(t, doctor).Joined
	if next(t, patient).Joined == nil || there == nil {
		t.Fatal("they do not meet")
	}
	b, err := check.Join(t.Context())
	if err != nil || len(b.Welcome.Present) != 0 || b.ICE.Servers[0].Username != id+".test" {
		t.Errorf("%+v, %v", b, err)
	}
	if b, err := l.checking(patientKeys).Join(t.Context()); err != nil || b.ICE != nil {
		t.Errorf("a patient who waits is given a relay: %+v, %v", b, err)
	}
	for name, frame := range map[string]protocol.FromClient{
		"send":    {N: 1, Send: &protocol.Send{To: "patient", Epoch: patient.Epoch(), Sealed: []byte("x")}},
		"explain": {N: 1, Explain: &protocol.Empty{}},
		"admit":   {N: 1, Admit: &protocol.Admit{Seat: "patient", Epoch: patient.Epoch()}},
	} {
		polled := l.post(protocol.FromClient{Join: &protocol.Join{Token: doctorKeys.JoinToken[:], Epoch: seal.NewEpoch(), Check: true}}, frame)
		if last := polled[len(polled)-1]; last.Error == nil || last.Error.Code != protocol.BadRequest {
			t.Errorf("%s: %+v", name, last)
		}
	}
	// The next thing they hear is each other's message.
	if err := doctor.Send(*there, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if m := next(t, patient).Message; m == nil || string(m.Plain) != "hello" {
		t.Errorf("the patient heard %+v", m)
	}
}

// TestChecksAreBounded in number, not only in rate, since each may be held open.
func TestChecksAreBounded(t *testing.T) {
	l := newLab(t, keyed)
	_, doctorKeys, patientKeys := l.seats(day)
	_, testKeys := l.test()
	for _, keys := range []code.Keys{doctorKeys, patientKeys, testKeys} {
		first := l.raw(checking(keys))
		first.until(func(f protocol.FromServer) bool { return f.ICE != nil })
		var session string
		for range 100 {
			l.at(l.clock().Add(joinInterval))
			session = l.post(checking(keys))[0].Welcome.Session
		}
		if code := first.error(); code != protocol.TooOften {
			t.Errorf("the oldest check ended with %s", code)
		}
		if f := l.post(resuming(session, 0)); f[0].Resumed == nil {
			t.Errorf("the newest check: %+v", f[0])
		}
	}
	l.rooms.mu.Lock()
	if n := len(l.rooms.sessions); n != 3*maxChecks {
		t.Errorf("there are %d sessions", n)
	}
	l.rooms.mu.Unlock()
	l.join(doctorKeys) // the seat is unchanged
	l.at(l.clock().Add(awayTime))
	l.rooms.sweep(l.clock())
	l.rooms.mu.Lock()
	defer l.rooms.mu.Unlock()
	for _, in := range l.rooms.byID {
		if len(in.checks) > 0 {
			t.Errorf("checks that ended are kept: %v", in.checks)
		}
	}
}

func checking(keys code.Keys) protocol.FromClient {
	frame := joining(keys, seal.NewEpoch())
	frame.Join.Check = true
	return frame
}

// post posts one poll.
func (l *lab) post(frames ...protocol.FromClient) []protocol.FromServer {
	l.Helper()
	text, err := json.Marshal(protocol.Poll{Frames: frames})
	if err != nil {
		l.Fatal(err)
	}
	response, err := l.web.Client().Post(l.web.URL+"/v1/signal", "application/json", bytes.NewReader(text))
	if err != nil {
		l.Fatal(err)
	}
	defer response.Body.Close()
	var polled protocol.Polled
	if err := json.NewDecoder(response.Body).Decode(&polled); err != nil {
		l.Fatal(err)
	}
	return polled.Frames
}

// TestARevokedTestEndsAtOnce, although it holds no seat.
func TestARevokedTestEndsAtOnce(t *testing.T) {
	l := newLab(t, keyed)
	id, keys := l.test()
	s := l.join(keys)
	if status, body := l.admin("DELETE", "/v1/appointments/"+id, ""); status != http.StatusOK {
		t.Fatal(body)
	}
	ends(t, s, protocol.Revoked)
}

// TestWhatIsHeldAndWhatIsCut: a check notices both, on each transport.
func TestWhatIsHeldAndWhatIsCut(t *testing.T) {
	l := newLab(t, keyed)
	_, keys := l.test()
	const short = 50 * time.Millisecond
	ways := map[string]func(client.Check, context.Context, time.Duration) (time.Duration, error){
		"socket": client.Check.HoldSocket, "poll": client.Check.HoldPoll,
	}
	for name, hold := range ways {
		if held, err := hold(l.checking(keys), t.Context(), short); err != nil || held < short {
			t.Errorf("%s: held for %v, %v", name, held, err)
		}
	}
	for name, hold := range ways {
		check := l.checking(keys)
		// Once held, open connections are cut and nothing else gets through.
		var mu sync.Mutex
		var open []net.Conn
		cut := false
		check.HTTP = &http.Client{Transport: &http.Transport{
			DisableKeepAlives: true,
			DialTLSContext: func(ctx context.Context, _, address string) (net.Conn, error) {
				mu.Lock()
				defer mu.Unlock()
				if cut {
					return nil, errors.New("there is no way")
				}
				conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
				if err == nil {
					open = append(open, conn)
				}
				return conn, err
			},
		}}
		ended := make(chan error, 1)
		go func() {
			_, err := hold(check, t.Context(), time.Hour)
			ended <- err
		}()
		l.eventually(name+" is held", func() bool { return l.attached() == 1 })
		mu.Lock()
		cut = true
		for _, conn := range open {
			conn.Close()
		}
		mu.Unlock()
		if err := <-ended; err == nil {
			t.Errorf("%s: it was cut, and nobody noticed", name)
		}
		l.eventually(name+" is over", func() bool { return l.attached() == 0 })
	}
}

// attached counts the sessions that a connection carries.
func (l *lab) attached() (n int) {
	l.rooms.mu.Lock()
	defer l.rooms.mu.Unlock()
	for _, s := range l.rooms.sessions {
		if s.link != nil {
			n++
		}
	}
	return n
}

// TestARefusedUpgradeIsTold, with the status that came instead.
func TestARefusedUpgradeIsTold(t *testing.T) {
	l := newLab(t, keyed)
	_, keys := l.test()
	check := l.checking(keys)
	check.HTTP = &http.Client{Transport: refusing{l.web.Client().Transport}}
	_, err := check.HoldSocket(t.Context(), time.Hour)
	if refused, ok := errors.AsType[client.NoSocket](err); !ok || refused.Status != http.StatusForbidden {
		t.Errorf("%v", err)
	}
	if _, err := check.HoldPoll(t.Context(), time.Millisecond); err != nil {
		t.Errorf("polling: %v", err)
	}
}

// refusing lets no upgrade through.
type refusing struct{ http.RoundTripper }

func (r refusing) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Header.Get("Upgrade") == "" {
		return r.RoundTripper.RoundTrip(request)
	}
	return &http.Response{
		Status: "403 Forbidden", StatusCode: http.StatusForbidden, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: request,
	}, nil
}
