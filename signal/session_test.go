package signal

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/client"
	"praxisrelay/signal/code"
	"praxisrelay/signal/limit"
	"praxisrelay/signal/protocol"
	"praxisrelay/signal/seal"
)

// raw is a client that sends exactly the frames of a test.
type raw struct {
	*testing.T
	socket *websocket.Conn
}

func (l *lab) raw(frames ...protocol.FromClient) *raw {
	l.Helper()
	r := &raw{l.T, l.dial(l.T)}
	r.say(frames...)
	return r
}

func (r *raw) say(frames ...protocol.FromClient) {
	r.Helper()
	for _, frame := range frames {
		if err := wsjson.Write(r.Context(), r.socket, frame); err != nil {
			r.Fatal(err)
		}
	}
}

func (r *raw) hear() (frame protocol.FromServer) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	if err := wsjson.Read(ctx, r.socket, &frame); err != nil {
		r.Fatal(err)
	}
	return frame
}

// until skips frames up to a wanted one.
func (r *raw) until(wanted func(protocol.FromServer) bool) protocol.FromServer {
	r.Helper()
	for {
		if frame := r.hear(); wanted(frame) {
			return frame
		}
	}
}

func (r *raw) error() protocol.Code {
	r.Helper()
	return r.until(func(f protocol.FromServer) bool { return f.Error != nil }).Error.Code
}

func joining(keys code.Keys, epoch string) protocol.FromClient {
	return protocol.FromClient{Join: &protocol.Join{Token: keys.JoinToken[:], Epoch: epoch}}
}

func resuming(session string, received uint64) protocol.FromClient {
	return protocol.FromClient{Resume: &protocol.Resume{Session: session, Received: received}}
}

func sending(n uint64, to, epoch string, text string) protocol.FromClient {
	return protocol.FromClient{N: n, Send: &protocol.Send{To: to, Epoch: epoch, Seq: n, Sealed: []byte(text)}}
}

// TestALostConnectionLosesNothing: both ends resend what the other did not get, and nothing arrives
// twice.
func TestALostConnectionLosesNothing(t *testing.T) {
	l := newLab(t)
	_, doctorKeys, patientKeys := l.seats(day)
	epochs := [2]string{seal.NewEpoch(), seal.NewEpoch()}
	doctor := l.raw(joining(doctorKeys, epochs[0]))
	doctor.until(func(f protocol.FromServer) bool { return f.ICE != nil }) // or the patient may be first
	patient := l.raw(joining(patientKeys, epochs[1]))
	session := patient.hear().Welcome.Session
	patient.until(func(f protocol.FromServer) bool { return f.ICE != nil }) // n 2
	doctor.until(func(f protocol.FromServer) bool { return f.Joined != nil })

	patient.say(sending(1, "doctor", epochs[0], "one"), sending(2, "doctor", epochs[0], "two"))
	for _, want := range []string{"one", "two"} {
		if m := doctor.hear().Message; string(m.Sealed) != want {
			t.Fatalf("the doctor got %q, want %q", m.Sealed, want)
		}
	}
	patient.socket.CloseNow()
	// Nobody left, so the partner is not notified.
	doctor.say(sending(1, "patient", epochs[1], "three"), sending(2, "patient", epochs[1], "four"))

	patient = l.raw(resuming(session, 2))
	if r := patient.hear().Resumed; r == nil || r.Received != 2 {
		t.Fatalf("resumed %+v, want 2", r)
	}
	for i, want := range []string{"three", "four"} {
		if f := patient.hear(); f.Message == nil || string(f.Message.Sealed) != want || f.N != uint64(3+i) {
			t.Fatalf("the patient got %+v, want %q", f, want)
		}
	}
	// The client does not know that number two arrived, and resends it.
	patient.say(sending(2, "doctor", epochs[0], "two"), sending(3, "doctor", epochs[0], "five"))
	if m := doctor.hear().Message; string(m.Sealed) != "five" {
		t.Fatalf("the doctor got %q, want five", m.Sealed)
	}
	// Nor does it know which frames it received but did not record.
	second := l.raw(resuming(session, 3))
	if r := second.hear(); r.Resumed == nil || r.Resumed.Received != 3 {
		t.Fatalf("resumed %+v", r)
	}
	if m := second.hear().Message; string(m.Sealed) != "four" {
		t.Fatalf("the patient got %q again, want four", m.Sealed)
	}
	// The older connection closes without an error that would end the client.
	if _, _, err := patient.socket.Read(t.Context()); websocket.CloseStatus(err) == websocket.StatusPolicyViolation {
		t.Errorf("the older connection: %v", err)
	}
	// Acknowledged frames are forgotten.
	second.say(protocol.FromClient{Ack: new(uint64(4))})
	if f := second.hear(); f.Ack == nil || *f.Ack != 3 {
		t.Fatalf("the heartbeat was answered with %+v", f)
	}
	// A resume that was overtaken gets no answer, and ends nothing.
	late := l.raw(resuming(session, 3))
	if _, _, err := late.socket.Read(t.Context()); websocket.CloseStatus(err) == websocket.StatusPolicyViolation {
		t.Errorf("resuming behind what was acknowledged: %v", err)
	}
	second.say(protocol.FromClient{Ack: new(uint64(3))}, protocol.FromClient{Ack: new(uint64(4))})
	if f := second.hear(); f.Ack == nil {
		t.Errorf("after an older acknowledgement: %+v", f)
	}
	if code := l.raw(resuming(session, 99)).error(); code != protocol.UnknownSession {
		t.Errorf("resuming ahead of what was sent: %s", code)
	}
	if code := l.raw(resuming("AAAAAAAAAAAAAAAAAAAAAA", 0)).error(); code != protocol.UnknownSession {
		t.Errorf("resuming what never was: %s", code)
	}
}

// TestAWindowThatGoesIsNotWaitedFor longer than a reload takes.
func TestAWindowThatGoesIsNotWaitedFor(t *testing.T) {
	l := newLab(t)
	_, doctorKeys, patientKeys := l.seats(day)
	doctor := l.raw(joining(doctorKeys, seal.NewEpoch()))
	epoch := seal.NewEpoch()
	patient := l.raw(joining(patientKeys, epoch))
	session := patient.hear().Welcome.Session
	_ = patient.socket.Close(websocket.StatusGoingAway, "")
	l.gone(session)
	l.at(day.Add(goneTime - time.Second))
	l.rooms.sweep(l.clock())
	patient = l.raw(resuming(session, 2))
	if f := patient.hear(); f.Resumed == nil {
		t.Fatalf("in time: %+v", f)
	}
	_ = patient.socket.Close(websocket.StatusGoingAway, "")
	l.gone(session)
	l.at(l.clock().Add(goneTime))
	l.rooms.sweep(l.clock())
	if left := doctor.until(func(f protocol.FromServer) bool { return f.Left != nil }).Left; left.Epoch != epoch {
		t.Errorf("left %+v", left)
	}
}

func TestASessionWaitsTwoMinutes(t *testing.T) {
	l := newLab(t)
	_, doctorKeys, patientKeys := l.seats(day)
	doctor := l.raw(joining(doctorKeys, seal.NewEpoch()))
	epoch := seal.NewEpoch()
	patient := l.raw(joining(patientKeys, epoch))
	session := patient.hear().Welcome.Session
	patient.socket.CloseNow()
	l.gone(session)
	l.at(day.Add(awayTime - time.Second))
	l.rooms.sweep(l.clock())
	patient = l.raw(resuming(session, 2))
	if f := patient.hear(); f.Resumed == nil {
		t.Fatalf("in time: %+v", f)
	}
	patient.socket.CloseNow()
	l.gone(session)
	l.at(l.clock().Add(awayTime))
	l.rooms.sweep(l.clock())
	if left := doctor.until(func(f protocol.FromServer) bool { return f.Left != nil }).Left; left.Epoch != epoch {
		t.Errorf("left %+v", left)
	}
	if code := l.raw(resuming(session, 2)).error(); code != protocol.UnknownSession {
		t.Errorf("too late: %s", code)
	}
}

// gone waits until the server has noticed that a client's connection is lost.
func (l *lab) gone(session string) {
	l.Helper()
	l.eventually("the server notices", func() bool {
		l.rooms.mu.Lock()
		defer l.rooms.mu.Unlock()
		return l.rooms.sessions[session].link == nil
	})
}

func (l *lab) eventually(what string, holds func() bool) {
	l.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(10 * time.Second); !holds(); <-ticker.C {
		if time.Now().After(deadline) {
			l.Fatalf("%s: not within 10 s", what)
		}
	}
}

// TestTakeoverIsFinal: a client that lost its seat to another device does not take it back, even if
// it was away at the time.
func TestTakeoverIsFinal(t *testing.T) {
	l := newLab(t)
	_, keys, _ := l.seats(day)
	epoch := seal.NewEpoch()
	first := l.raw(joining(keys, epoch))
	session := first.hear().Welcome.Session
	first.socket.CloseNow()
	l.raw(joining(keys, seal.NewEpoch())).hear()
	if code := l.raw(resuming(session, 2)).error(); code != protocol.UnknownSession {
		t.Errorf("resuming: %s", code)
	}
	if code := l.raw(joining(keys, epoch)).error(); code != protocol.Replaced {
		t.Errorf("joining with the same epoch: %s", code)
	}
	// Nor if the other device is gone for a while by then.
	third := l.raw(joining(keys, seal.NewEpoch()))
	third.hear()
	third.say(protocol.FromClient{Leave: &protocol.Empty{}})
	third.error()
	l.rooms.sweep(day)
	if code := l.raw(joining(keys, epoch)).error(); code != protocol.Replaced {
		t.Errorf("joining an empty room: %s", code)
	}
	l.rooms.sweep(day.Add(awayTime))
	l.rooms.mu.Lock()
	if len(l.rooms.byID) != 0 {
		t.Errorf("%d empty rooms are remembered", len(l.rooms.byID))
	}
	l.rooms.mu.Unlock()
	// A person who enters the code again does take it back.
	if f := l.raw(joining(keys, seal.NewEpoch())).hear(); f.Welcome == nil {
		t.Errorf("joining with a new epoch: %+v", f)
	}
}

// TestThePatientWaitsForTheDoctor: no credential is made before.
func TestThePatientWaitsForTheDoctor(t *testing.T) {
	l := newLab(t, func(o *Options) { o.Waiting = true })
	_, doctorKeys, patientKeys := l.seats(day)
	patient := l.join(patientKeys)
	doctor := l.join(doctorKeys)
	there := next(t, doctor).Joined
	waitICE(t, doctor)
	if there == nil || there.Admitted || l.relay.minted != 1 {
		t.Fatalf("the doctor sees %+v; %d credentials were made", there, l.relay.minted)
	}
	// A waiting client can identify itself, but asking gets it no credential.
	patient.RenewICE()
	patient.Send(*next(t, patient).Joined, []byte("it's me"))
	if m := next(t, doctor).Message; m == nil || string(m.Plain) != "it's me" || l.relay.minted != 1 {
		t.Fatalf("got %+v; %d credentials were made", m, l.relay.minted)
	}
	doctor.Admit(protocol.Present{Seat: "patient", Epoch: seal.NewEpoch()}) // somebody else
	doctor.Admit(*there)
	if ice := waitICE(t, patient); !strings.HasSuffix(ice.Servers[0].Username, ".patient") {
		t.Errorf("ICE servers %+v", ice)
	}
	if again := next(t, doctor).Joined; again == nil || !again.Admitted || again.Epoch != patient.Epoch() {
		t.Errorf("the doctor sees %+v", again)
	}
	// A new client in the seat waits again; the same client, back from an absence, does not.
	second := l.join(patientKeys)
	if there := next(t, doctor).Joined; there.Admitted {
		t.Error("another client came in with the first one's admission")
	}
	doctor.Admit(protocol.Present{Seat: "patient", Epoch: second.Epoch()})
	waitICE(t, second)
	r := l.raw(joining(patientKeys, second.Epoch()))
	if r.hear().Welcome == nil || r.hear().ICE == nil {
		t.Error("a client that joined again with its epoch waits again")
	}
	// The patient cannot let anybody in.
	r.say(protocol.FromClient{N: 1, Admit: &protocol.Admit{Seat: "doctor", Epoch: doctor.Epoch()}})
	if code := r.error(); code != protocol.BadRequest {
		t.Errorf("a patient that admits: %s", code)
	}
}

func TestWhoDoesNotReadIsGivenUp(t *testing.T) {
	l := newLab(t)
	_, doctorKeys, patientKeys := l.seats(day)
	epoch := seal.NewEpoch()
	doctor := l.raw(joining(doctorKeys, seal.NewEpoch()))
	patient := l.raw(joining(patientKeys, epoch))
	session := patient.hear().Welcome.Session
	patient.socket.CloseNow()
	for i := range uint64(queueFrames) {
		doctor.say(sending(i+1, "patient", epoch, "text"))
		if i == frameBurst/2 { // a pause, so that the doctor is not too fast
			doctor.say(protocol.FromClient{Ack: new(uint64(0))})
			doctor.until(func(f protocol.FromServer) bool { return f.Ack != nil && *f.Ack == i+1 })
			l.at(day.Add(frameBurst * frameInterval))
		}
	}
	doctor.until(func(f protocol.FromServer) bool { return f.Left != nil })
	if code := l.raw(resuming(session, 2)).error(); code != protocol.UnknownSession {
		t.Errorf("resuming: %s", code)
	}
}

// TestWhoSendsTooFastIsSlowedDown: a burst is taken, the rest at 20 a second, and large frames
// count for more. None of it ends a session, since a backlog may be long.
func TestWhoSendsTooFastIsSlowedDown(t *testing.T) {
	s := newSession(appointment.Appointment{Closes: day.Add(time.Hour)}, appointment.Seat{Name: "doctor"}, "epoch", false)
	s.admitted = true
	const small, large = 200, 3 * frameBytes
	for i := range frameBurst {
		if wait := s.paceLocked(day, small); wait != 0 {
			t.Fatalf("frame %d has to wait %v", i, wait)
		}
	}
	if wait := s.paceLocked(day, small); wait != frameInterval {
		t.Errorf("the frame behind a burst has to wait %v", wait)
	}
	now, taken := day, 0
	for ; !now.After(day.Add(10 * time.Second)); now = now.Add(time.Millisecond) {
		if s.paceLocked(now, small) == 0 {
			taken++
		}
	}
	if taken != 200 {
		t.Errorf("%d frames were taken in ten seconds, want 200", taken)
	}
	now, taken = now.Add(time.Hour), 0
	for s.paceLocked(now, large) == 0 {
		taken++
	}
	if taken != frameBurst/4 || taken*large > queueBytes {
		t.Errorf("a burst of large frames has %d", taken)
	}
	s.admitted = false
	now, taken = now.Add(time.Hour), 0
	for s.paceLocked(now, small) == 0 {
		taken++
	}
	if taken != frameBurst/waitingFactor {
		t.Errorf("whoever waits for the doctor says %d frames at once", taken)
	}
}

// TestABacklogIsTaken: frames queued while a client was away, over both transports.
func TestABacklogIsTaken(t *testing.T) {
	for _, poll := range []bool{false, true} {
		l := newLab(t, func(o *Options) { o.Now = time.Now })
		_, doctorKeys, patientKeys := l.seats(time.Now())
		doctor := l.joinWith(client.Dialer{HTTP: l.web.Client(), Server: l.web.URL, Poll: poll}, doctorKeys)
		patient := l.join(patientKeys)
		partner := *next(t, doctor).Joined
		const count = frameBurst + 30
		for i := range count {
			doctor.Send(partner, fmt.Append(nil, i))
		}
		for i := 0; i < count; {
			if m := next(t, patient).Message; m != nil {
				if string(m.Plain) != fmt.Sprint(i) || m.Finding != "" {
					t.Fatalf("message %d is %q, %s", i, m.Plain, m.Finding)
				}
				i++
			}
		}
		doctor.Close()
		patient.Close()
	}
}

// TestASeatIsNotTakenWithoutEnd: the holder of a code cannot flood the partner with arrivals.
func TestASeatIsNotTakenWithoutEnd(t *testing.T) {
	l := newLab(t)
	_, doctorKeys, patientKeys := l.seats(day)
	doctor := l.raw(joining(doctorKeys, seal.NewEpoch()))
	doctor.hear()
	for i := range joinBurst {
		if f := l.raw(joining(patientKeys, seal.NewEpoch())).hear(); f.Welcome == nil {
			t.Fatalf("join %d: %+v", i, f)
		}
	}
	if f := l.raw(joining(patientKeys, seal.NewEpoch())).hear(); f.Error == nil || f.Error.Code != protocol.TooOften || f.Error.RetryAfter != 2 {
		t.Errorf("one more: %+v", f)
	}
	l.at(day.Add(joinInterval))
	if f := l.raw(joining(patientKeys, seal.NewEpoch())).hear(); f.Welcome == nil {
		t.Errorf("a second later: %+v", f)
	}
}

// TestSessionsEndWithTheirAppointment: when its row is deleted, after which nobody could revoke it.
func TestSessionsEndWithTheirAppointment(t *testing.T) {
	l := newLab(t)
	_, keys, _ := l.seats(day)
	r := l.raw(joining(keys, seal.NewEpoch()))
	r.hear()
	over := day.Add(appointment.Length + appointment.Grace)
	l.rooms.sweep(over.Add(-time.Second))
	r.say(protocol.FromClient{N: 1, ICE: &protocol.Empty{}})
	r.until(func(f protocol.FromServer) bool { return f.ICE != nil && f.N > 2 })
	l.rooms.sweep(over)
	if code := r.error(); code != protocol.Over {
		t.Errorf("it ended with %s", code)
	}
}

// TestServersForgetAndClientsComeBack: rooms are rebuilt from joins.
func TestServersForgetAndClientsComeBack(t *testing.T) {
	for _, poll := range []bool{false, true} {
		l := newLab(t)
		_, doctorKeys, patientKeys := l.seats(day)
		d := client.Dialer{HTTP: l.web.Client(), Server: l.web.URL, Poll: poll}
		doctor, patient := l.joinWith(d, doctorKeys), l.joinWith(d, patientKeys)
		partner := *next(t, doctor).Joined
		doctor.Send(partner, []byte("before"))
		next(t, patient) // the doctor is there
		next(t, patient) // before
		// Another process would know nothing.
		l.rooms.mu.Lock()
		for _, s := range l.rooms.sessions {
			l.rooms.endLocked(s, protocol.Unavailable, "the server stops")
		}
		l.rooms.mu.Unlock()
		for _, s := range []*client.Session{doctor, patient} {
			for there := false; !there; {
				e := next(t, s)
				there = e.Joined != nil
			}
		}
		doctor.Send(partner, []byte("after"))
		for {
			// Unacknowledged frames may come again.
			if m := next(t, patient).Message; m != nil && m.Finding != seal.Replayed {
				if string(m.Plain) != "after" || m.Finding != "" {
					t.Errorf("got %q, %s", m.Plain, m.Finding)
				}
				break
			}
		}
		doctor.Close()
		patient.Close()
	}
}

// TestWithoutWebSockets: behind a proxy that refuses upgrades.
func TestWithoutWebSockets(t *testing.T) {
	l := newLab(t)
	_, doctorKeys, _ := l.seats(day)
	proxy := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		l.site().ServeHTTP(w, r)
	}))
	defer proxy.Close()
	s := l.joinWith(client.Dialer{HTTP: proxy.Client(), Server: proxy.URL}, doctorKeys)
	waitICE(t, s)
	s.Close()
}

// TestPollsInDetail covers behavior that a client library hides.
func TestPollsInDetail(t *testing.T) {
	l := newLab(t)
	_, keys, _ := l.seats(day)
	post := func(kind, body string) (*http.Response, protocol.Polled) {
		t.Helper()
		response, err := l.web.Client().Post(l.web.URL+"/v1/signal", kind, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		var polled protocol.Polled
		_ = json.Unmarshal(text, &polled)
		return response, polled
	}
	frames := func(frames ...protocol.FromClient) string {
		text, err := json.Marshal(protocol.Poll{Frames: frames})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	const kind = "application/json"
	if r, _ := post("text/plain", frames(joining(keys, seal.NewEpoch()))); r.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("another type: %s", r.Status)
	}
	if r, _ := post(kind, strings.Repeat(" ", protocol.MaxPollFactor*protocol.MaxFrame+1)); r.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a long body: %s", r.Status)
	}
	for _, body := range []string{
		"", "null", "[]", `{"frames":[]}`, `{"frames":[null]}`, `{"frames":[{"ack":0}]}`, `{"frames":[{"join":{}}],"more":1}`,
		frames(joining(keys, seal.NewEpoch()), joining(keys, seal.NewEpoch())),
		`{"frames":[` + strings.Repeat(`{"ack":0},`, protocol.MaxPollFrames) + `{"ack":0}]}`,
		`{"frames":[{"join":{"token":"","epoch":"` + strings.Repeat("A", protocol.MaxFrame) + `"}}]}`,
	} {
		if r, p := post(kind, body); r.StatusCode != 200 || len(p.Frames) != 1 || p.Frames[0].Error == nil || p.Frames[0].Error.Code != protocol.BadRequest {
			t.Errorf("%.60q: %s %+v", body, r.Status, p)
		}
	}
	r, p := post(kind, frames(joining(keys, seal.NewEpoch())))
	if r.Header.Get("Cache-Control") != "no-store" || len(p.Frames) != 2 || p.Frames[0].Welcome == nil || p.Frames[1].ICE == nil {
		t.Fatalf("join: %v %+v", r.Header, p)
	}
	session := p.Frames[0].Welcome.Session
	// A newer poll releases the older one.
	held := make(chan protocol.Polled)
	go func() {
		_, p := post(kind, frames(resuming(session, 2)))
		held <- p
	}()
	l.eventually("the poll is held", func() bool {
		l.rooms.mu.Lock()
		defer l.rooms.mu.Unlock()
		return l.rooms.sessions[session].link != nil
	})
	_, p = post(kind, frames(resuming(session, 2), protocol.FromClient{N: 1, ICE: &protocol.Empty{}}))
	if len(p.Frames) != 2 || p.Frames[0].Resumed.Received != 1 || p.Frames[1].ICE == nil {
		t.Errorf("the newer poll: %+v", p)
	}
	if p := <-held; len(p.Frames) != 1 || p.Frames[0].Resumed == nil {
		t.Errorf("the older poll: %+v", p)
	}
	if _, p := post(kind, frames(resuming(session, 3), protocol.FromClient{Leave: &protocol.Empty{}})); p.Frames[0].Error == nil {
		t.Errorf("leave: %+v", p)
	}
	if seated := l.rooms.seated(session); len(seated) != 0 {
		t.Errorf("the seat is held by %v", seated)
	}
	// A stopping server answers held polls.
	_, p = post(kind, frames(joining(keys, seal.NewEpoch())))
	go func() {
		_, p := post(kind, frames(resuming(p.Frames[0].Welcome.Session, 2)))
		held <- p
	}()
	l.eventually("the poll is held", func() bool {
		l.rooms.mu.Lock()
		defer l.rooms.mu.Unlock()
		return l.rooms.sessions[p.Frames[0].Welcome.Session].link != nil
	})
	close(l.stopping)
	if p := <-held; len(p.Frames) != 2 || p.Frames[1].Error.Code != protocol.Unavailable {
		t.Errorf("a stopping server: %+v", p)
	}
}

// TestGuessing: after ten wrong codes a network is limited; another is not; a code that was right
// from there before still works.
func TestGuessing(t *testing.T) {
	l := newLab(t)
	_, doctor, patient := l.seats(day)
	network := func(ip string) func(code.Keys) (*http.Response, protocol.FromServer) {
		return func(keys code.Keys) (*http.Response, protocol.FromServer) {
			t.Helper()
			var body bytes.Buffer
			if err := json.NewEncoder(&body).Encode(protocol.Poll{Frames: []protocol.FromClient{joining(keys, seal.NewEpoch())}}); err != nil {
				t.Fatal(err)
			}
			w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "/v1/signal", &body)
			r.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr(ip), 4711).String()
			r.Header.Set("Content-Type", "application/json")
			l.site().ServeHTTP(w, r)
			var p protocol.Polled
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
				t.Fatal(err)
			}
			return w.Result(), p.Frames[0]
		}
	}
	here, there := network("198.51.100.1"), network("198.51.100.2")
	if _, f := here(doctor); f.Welcome == nil {
		t.Fatalf("the right code: %+v", f)
	}
	for i := range limit.GuessBurst {
		if r, f := here(code.Keys{JoinToken: [32]byte{byte(i)}}); f.Error == nil || f.Error.Code != protocol.UnknownCode || r.StatusCode != 200 {
			t.Fatalf("guess %d: %s %+v", i, r.Status, f)
		}
	}
	for name, keys := range map[string]code.Keys{"a wrong code": {JoinToken: [32]byte{99}}, "a right one": patient} {
		r, f := here(keys)
		if f.Error == nil || f.Error.Code != protocol.Limited || f.Error.RetryAfter < 30 || f.Error.RetryAfter > 31 ||
			r.StatusCode != http.StatusTooManyRequests || r.Header.Get("Retry-After") != fmt.Sprint(f.Error.RetryAfter) {
			t.Errorf("%s after %d wrong ones: %s %+v", name, limit.GuessBurst, r.Status, f.Error)
		}
	}
	if _, f := here(doctor); f.Welcome == nil {
		t.Errorf("a code that was right here before: %+v", f.Error)
	}
	if _, f := there(patient); f.Welcome == nil {
		t.Errorf("another network: %+v", f.Error)
	}
	l.at(day.Add(limit.GuessInterval))
	if _, f := here(patient); f.Welcome == nil {
		t.Errorf("after the pause: %+v", f.Error)
	}
}

// TestFindings: a receiver's findings on a sequence of messages.
func TestFindings(t *testing.T) {
	room, other := seal.NewRoomKey(), seal.NewRoomKey()
	from, to := seal.NewEpoch(), seal.NewEpoch()
	sealed := func(key seal.RoomKey, id string, epoch string, seq uint64) []byte {
		return key.Seal(seal.Place{Appointment: id, From: "doctor", To: "patient", FromEpoch: from, ToEpoch: epoch, Seq: seq}, fmt.Append(nil, seq))
	}
	r := seal.NewReceiver(room, "here", "patient", to)
	for i, step := range []struct {
		name   string
		seq    uint64
		sealed []byte
		want   seal.Finding
	}{
		{"the first", 0, sealed(room, "here", to, 0), ""},
		{"swapped", 1, sealed(room, "here", to, 2), seal.Altered},
		{"of another appointment", 1, sealed(other, "there", to, 1), seal.Altered},
		{"of another appointment with this key", 1, sealed(room, "there", to, 1), seal.Altered},
		{"of an earlier session", 1, sealed(room, "here", seal.NewEpoch(), 1), seal.Altered},
		{"cut short", 1, sealed(room, "here", to, 1)[:20], seal.Altered},
		{"empty", 1, nil, seal.Altered},
		{"passing one over", 2, sealed(room, "here", to, 2), seal.Missing},
		{"late", 1, sealed(room, "here", to, 1), seal.Reordered},
		{"late again", 1, sealed(room, "here", to, 1), seal.Replayed},
		{"again", 2, sealed(room, "here", to, 2), seal.Replayed},
		{"the first again", 0, sealed(room, "here", to, 0), seal.Replayed},
		{"the next", 3, sealed(room, "here", to, 3), ""},
		{"far ahead", 1 << 40, sealed(room, "here", to, 1<<40), seal.Missing},
	} {
		plain, finding := r.Open("doctor", from, step.seq, step.sealed)
		usable := step.want == "" || step.want == seal.Missing
		if finding != step.want || usable && string(plain) != fmt.Sprint(step.seq) || !usable && plain != nil {
			t.Errorf("%d, %s: %q, %q, want %q", i, step.name, plain, finding, step.want)
		}
	}
}

func TestSeatsAreTheAppointmentsAndNoMore(t *testing.T) {
	l := newLab(t)
	_, doctorKeys, _ := l.seats(day)
	doctor := l.raw(joining(doctorKeys, seal.NewEpoch()))
	doctor.hear()
	doctor.say(sending(1, "doctor", seal.NewEpoch(), "text"))
	if a := doctor.until(func(f protocol.FromServer) bool { return f.Absent != nil }).Absent; a.To != "doctor" {
		t.Errorf("to oneself: %+v", a)
	}
	for _, to := range []string{"guest", "test", ""} {
		doctor.say(sending(2, to, seal.NewEpoch(), "text"))
		if code := doctor.error(); code != protocol.BadRequest {
			t.Errorf("to %q: %s", to, code)
		}
		doctor = l.raw(joining(doctorKeys, seal.NewEpoch()), sending(1, "patient", seal.NewEpoch(), "text"))
		doctor.until(func(f protocol.FromServer) bool { return f.Absent != nil })
	}
	a := api.NewAppointment{ID: appointment.NewID(), Opens: &day, Closes: new(day.Add(time.Hour))}
	for i, name := range slices.Concat(appointment.SeatNames, []string{"guest"}) {
		a.Seats = append(a.Seats, api.NewSeat{Name: name, Verifier: append(make([]byte, 31), byte(i)), RoomKey: make([]byte, 60)})
	}
	if status, body := l.admin("POST", "/v1/appointments", a); status != http.StatusUnprocessableEntity {
		t.Errorf("three seats: %d %s", status, body)
	}
}

// TestACodeThatIsWithdrawnWhileItJoins gets neither the seat nor a credential.
func TestACodeThatIsWithdrawnWhileItJoins(t *testing.T) {
	l := newLab(t)
	_, doctor, patient := l.seats(day)
	l.join(patient)
	session, welcome, failure := l.admit(t.Context(), netip.MustParseAddr("198.51.100.1"), overSocket, *joining(doctor, seal.NewEpoch()).Join)
	if failure != nil {
		t.Fatal(failure)
	}
	minted := l.relay.minted
	if _, err := l.registry.Revoke(t.Context(), welcome.Appointment, day); err != nil {
		t.Fatal(err)
	}
	_, failure = l.rooms.join(day, session, welcome, func() *protocol.Error { return l.refuses(t.Context(), session) })
	if failure == nil || failure.Code != protocol.UnknownCode || l.relay.minted != minted {
		t.Errorf("got %v, and %d credentials", failure, l.relay.minted-minted)
	}
	if seated := l.rooms.seated(welcome.Appointment); !slices.Equal(seated, []string{"patient"}) {
		t.Errorf("seated are %v", seated)
	}
}

// TestCodesOutliveTheirPepper: they open their seats while it is the second one.
func TestCodesOutliveTheirPepper(t *testing.T) {
	l := newLab(t)
	old, fresh := []byte("a pepper of some length"), []byte("another pepper entirely")
	_, before, _ := l.seats(day)
	if err := l.pepper.Replace(fresh, old); err != nil {
		t.Fatal(err)
	}
	_, after, _ := l.seats(day)
	l.join(before)
	l.join(after)
	if err := l.pepper.Replace(fresh); err != nil {
		t.Fatal(err)
	}
	if e := l.refused(before); e.Code != protocol.UnknownCode {
		t.Errorf("without the old pepper: %+v", e)
	}
	if e := l.refused(after); e.Code != "" {
		t.Errorf("under the new one: %+v", e)
	}
}
