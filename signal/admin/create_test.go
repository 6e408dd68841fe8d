package admin

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"praxisrelay/signal"
	"praxisrelay/signal/admin/admintest"
	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/client"
	"praxisrelay/signal/code"
	"praxisrelay/signal/protocol"
	"praxisrelay/signal/registry"
	"praxisrelay/signal/seal"
	"praxisrelay/signal/token"
)

// meet has a patient greet a doctor, which proves that both have the same room key.
func meet(t *testing.T, doctor, patient *client.Session) {
	t.Helper()
	there := next(t, patient).Joined
	if there == nil {
		t.Fatal("the doctor is not there")
	}
	patient.Send(*there, []byte("hello"))
	next(t, doctor) // the patient has joined
	if m := next(t, doctor).Message; m == nil || string(m.Plain) != "hello" {
		t.Errorf("got %+v", m)
	}
}

// TestServerMadeCodesLeadToOneRoom, and the answer says who made them.
func TestServerMadeCodesLeadToOneRoom(t *testing.T) {
	l := newLab(t)
	a := quick(l).api().With(token.Appointments)
	made := admintest.Created(t, a.Ask("POST", "/v1/appointments", admintest.PlainBody))
	if made.SealedBy != api.ByServer || made.Ref != "2026-0815" || !made.Opens.Equal(day) || !made.Closes.Equal(day.Add(appointment.Length)) || len(made.Seats) != 2 {
		t.Fatalf("%+v", made)
	}
	meet(t, l.join(l.keysOf(made.Seats[0].Code)), l.join(l.keysOf(made.Seats[1].Code)))
	for _, seat := range made.Seats {
		if seat.Link != l.info.URL+"#"+seat.Code {
			t.Errorf("link %q", seat.Link)
		}
	}
}

// TestARepeatedRequestGetsTheSameAnswer, byte for byte, for a day, and only for its caller.
func TestARepeatedRequestGetsTheSameAnswer(t *testing.T) {
	const key = "0b9c8a52-1d0e-4c3f-9a57-5b7f0e4f3a11"
	l := newLab(t)
	a := quick(l).api().With(token.Appointments)
	first := a.Ask("POST", "/v1/appointments", admintest.PlainBody, "Idempotency-Key", key)
	made := admintest.Created(t, first)
	again := a.Ask("POST", "/v1/appointments", admintest.PlainBody, "Idempotency-Key", key)
	if again.Code != first.Code || again.Body.String() != first.Body.String() || again.Header().Get("Content-Type") != "application/json" {
		t.Errorf("again: %d %s, first: %s", again.Code, again.Body, first.Body)
	}
	if got := admintest.ProblemOf(t, a.Ask("POST", "/v1/appointments", admintest.PlainBody+" ", "Idempotency-Key", key)); got != "key-reused" {
		t.Errorf("with another body: %s", got)
	}
	for name, other := range map[string]*httptest.ResponseRecorder{
		"another token": a.With(token.Appointments).Ask("POST", "/v1/appointments", admintest.PlainBody, "Idempotency-Key", key),
		"another key":   a.Ask("POST", "/v1/appointments", admintest.PlainBody, "Idempotency-Key", key+"x"),
		"no key":        a.Ask("POST", "/v1/appointments", admintest.PlainBody),
	} {
		if admintest.Created(t, other).ID == made.ID {
			t.Errorf("%s: the same appointment", name)
		}
	}
	for _, bad := range [][]string{{"short"}, {key + " "}, {key + "ä"}, {strings.Repeat("x", 256)}, {key, key}} {
		var headers []string
		for _, value := range bad {
			headers = append(headers, "Idempotency-Key", value)
		}
		if got := admintest.ProblemOf(t, a.Ask("POST", "/v1/appointments", admintest.PlainBody, headers...)); got != "invalid" {
			t.Errorf("%q: %s", bad, got)
		}
	}
	l.at(day.Add(registry.AnswerLife - 1))
	if again := a.Ask("POST", "/v1/appointments", admintest.PlainBody, "Idempotency-Key", key); again.Body.String() != first.Body.String() {
		t.Errorf("within a day: %d %s", again.Code, again.Body)
	}
	l.at(day.Add(registry.AnswerLife))
	later := strings.Replace(admintest.PlainBody, "2026-12-01", "2026-12-09", 1)
	if admintest.Created(t, a.Ask("POST", "/v1/appointments", later, "Idempotency-Key", key)).ID == made.ID {
		t.Error("after a day: the same appointment")
	}
}

// TestARequestInProgressIsNotDoneTwice: of two at once, only one makes the appointment.
func TestARequestInProgressIsNotDoneTwice(t *testing.T) {
	const key = "0b9c8a52-1d0e-4c3f-9a57-5b7f0e4f3a11"
	l := newLab(t)
	a := quick(l).api().With(token.Appointments)
	for range cap(l.stretching.turns) { // so that the first waits
		l.stretching.turns <- struct{}{}
	}
	var first *httptest.ResponseRecorder
	var running sync.WaitGroup
	running.Go(func() { first = a.Ask("POST", "/v1/appointments", admintest.PlainBody, "Idempotency-Key", key) })
	inProgress := func() bool {
		l.answers.mu.Lock()
		defer l.answers.mu.Unlock()
		return len(l.answers.keys) > 0
	}
	for !inProgress() {
	}
	second := a.Ask("POST", "/v1/appointments", admintest.PlainBody, "Idempotency-Key", key)
	if got := admintest.ProblemOf(t, second); got != "in-progress" || second.Header().Get("Retry-After") == "" {
		t.Errorf("the second: %s", got)
	}
	<-l.stretching.turns
	running.Wait()
	admintest.Created(t, first)
	third := a.Ask("POST", "/v1/appointments", admintest.PlainBody, "Idempotency-Key", key)
	if third.Body.String() != first.Body.String() {
		t.Errorf("the third: %s", third.Body)
	}
	if inProgress() {
		t.Error("a key is kept")
	}
}

// TestFailedRequestMayBeCorrected under the same key.
func TestFailedRequestMayBeCorrected(t *testing.T) {
	const key = "0b9c8a52-1d0e-4c3f-9a57-5b7f0e4f3a11"
	l := newLab(t)
	a := quick(l).api().With(token.Appointments)
	if got := admintest.ProblemOf(t, a.Ask("POST", "/v1/appointments", "{}", "Idempotency-Key", key)); got != "invalid" {
		t.Fatal(got)
	}
	admintest.Created(t, a.Ask("POST", "/v1/appointments", admintest.PlainBody, "Idempotency-Key", key))
}

func TestProblemsNameTheFieldAndNoValue(t *testing.T) {
	l := newLab(t)
	a := quick(l).api().With(token.Appointments)
	const secret = "KTRW-BZMF-QHDF"
	for body, want := range map[string]string{
		`{"opens":"` + secret + `"}`:                                               "a time is not understood",
		`{"opens":"2026-12-01T09:00:00Z","name":"` + secret + `"}`:                 `the field "name" is unknown`,
		`{"opens":"2026-12-01T09:00:00Z","` + secret + `":1}`:                      "a field is unknown",
		`{"opens":"2026-12-01T09:00:00Z","ref":"` + secret + ` "}`:                 "ref: at most 64",
		`{"opens":"2026-12-01T09:00:00Z","seats":"` + secret + `"}`:                "seats: not of the type",
		`{"opens":"2026-12-01T09:00:00Z","seats":[{"verifier":"` + secret + `"}]}`: "a byte string is not understood",
		`{"opens":"2026-12-01T09:00:00Z","Opens":"2026-12-02T09:00:00Z"}`:          "a field is unknown",
		`{"OPENS":"2026-12-01T09:00:00Z"}`:                                         "a field is unknown",
		`{"opens":"2026-12-01T09:00:00Z","opens":"2026-12-02T09:00:00Z"}`:          `the field "opens" is there twice`,
		`{"seats":[{"name":"doctor","name":"patient"}]}`:                           `the field "name" is there twice`,
		`{"ref":"x"}`: "opens: missing",
		`{"opens":"2026-12-01T09:00:00Z","closes":"2026-12-01T08:00:00Z"}`: "closes: must be after opens",
		`{"opens":"2026-12-01T09:00:00Z","closes":"2027-12-01T08:00:00Z"}`: "by 31 days at most",
		`{"opens":"2026-11-01T09:00:00Z"}`:                                 "over already",
		`{"opens":"2028-12-03T09:00:01Z"}`:                                 "opens: must be within two years",
		`{"opens":"9999-12-31T23:00:00Z"}`:                                 "opens: must be within two years",
		`{"test":true,"opens":"9998-12-01T09:00:00Z"}`:                     "opens: must be within two years",
		`{"opens":"0001-01-01T00:00:00Z"}`:                                 "over already",
		`{"test":true,"opens":"0001-01-01T00:00:00Z"}`:                     "over already",
		`{"opens":"2026-12-01T09:00:00Z","closes":"0001-01-01T00:00:00Z"}`: "closes: must be after opens",
		`{"opens":"2026-12-01T09:00:00Z","id":"jnrgqgsnkz2ja"}`:            "the seats doctor and patient are expected",
		`{"opens":"2026-12-01T09:00:00Z"}{}`:                               "not one JSON object",
		`["` + secret + `"]`:                                               "not one JSON object",
		secret:                                                             "not one JSON object",
	} {
		w := a.Ask("POST", "/v1/appointments", body)
		var p api.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || !strings.Contains(p.Detail, want) || strings.Contains(w.Body.String(), secret) {
			t.Errorf("%s: %s, want %q", body, w.Body, want)
		}
	}
}

// TestStretchingWaitsItsTurn: a request that waits too long is told to try again.
func TestStretchingWaitsItsTurn(t *testing.T) {
	l := newLab(t)
	for range cap(l.stretching.turns) {
		l.stretching.turns <- struct{}{}
	}
	l.stretching.patience = time.Millisecond
	w := quick(l).api().With(token.Appointments).Ask("POST", "/v1/appointments", admintest.PlainBody)
	if admintest.ProblemOf(t, w) != "busy" || w.Header().Get("Retry-After") != "5" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestReissue(t *testing.T) {
	l := newLab(t)
	a := quick(l).api().With(token.Appointments)
	made := admintest.Created(t, a.Ask("POST", "/v1/appointments", admintest.PlainBody))
	doctor, patient := l.keysOf(made.Seats[0].Code), l.keysOf(made.Seats[1].Code)
	seat := "/v1/appointments/" + made.ID + "/seats/patient"
	live := l.join(patient)
	with := func(seat, code string) string {
		body, err := json.Marshal(api.NewCode{With: &api.With{Seat: seat, Code: code}})
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	l.at(day.Add(time.Minute))
	w := a.Ask("PUT", seat, with("doctor", made.Seats[0].Code))
	var reissued api.ReissuedSeat
	if err := json.Unmarshal(w.Body.Bytes(), &reissued); err != nil || w.Code != http.StatusOK || reissued.SealedBy != api.ByServer {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	ends(t, live, protocol.Revoked)
	if e := l.refused(patient); e.Code != protocol.UnknownCode {
		t.Errorf("the old code: %+v", e)
	}
	// The new code leads to the same room.
	meet(t, l.join(doctor), l.join(l.keysOf(reissued.Code)))
	// Checks with either code hold the seat test.
	revoked := []string{made.ID + ".test<1", made.ID + ".patient<1"}
	if got := l.relay.revoked; !slices.Equal(got, revoked) {
		t.Errorf("revoked in the relay: %q, want %q", got, revoked)
	}
	// A restarted daemon informs its relay again.
	l.relay.revoked = nil
	if _, err := signal.New(t.Context(), signal.Options{
		Rounds: code.Rounds, Registry: l.registry, Pepper: l.pepper, Relay: l.relay, Now: l.clock, Log: l.log,
	}); err != nil || !slices.Equal(l.relay.revoked, revoked) {
		t.Errorf("after a restart: %q, %v", l.relay.revoked, err)
	}

	// Now by a caller who makes codes itself, with the key that the other seat's code opens.
	w = a.Ask("GET", "/v1/appointments/"+made.ID+"/seats/doctor", "")
	var wrapped api.SeatKey
	if err := json.Unmarshal(w.Body.Bytes(), &wrapped); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	room, err := seal.Unwrap(doctor.SealKey, made.ID, "doctor", wrapped.RoomKey)
	if err != nil {
		t.Fatal(err)
	}
	own := code.Keys{JoinToken: seal.NewRoomKey(), SealKey: seal.NewRoomKey()}
	verifier := own.Verifier()
	body, err := json.Marshal(api.NewCode{Verifier: verifier[:], RoomKey: room.Wrap(own.SealKey, made.ID, "patient")})
	if err != nil {
		t.Fatal(err)
	}
	if w := a.Ask("PUT", seat, string(body)); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"sealed_by":"caller"`) {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	l.join(own)

	for name, test := range map[string]struct{ path, body, want string }{
		"a wrong code":      {seat, with("doctor", reissued.Code), "wrong-code"},
		"a typo":            {seat, with("doctor", "KTRW-BZMF-QHDG"), "invalid"},
		"its own code":      {seat, with("patient", reissued.Code), "invalid"},
		"no such other":     {seat, with("guest", reissued.Code), "invalid"},
		"no such seat":      {strings.Replace(seat, "patient", "guest", 1), string(body), "unknown-seat"},
		"no appointment":    {"/v1/appointments/aaaaaaaaaaaaa/seats/patient", string(body), "unknown-appointment"},
		"the doctor's code": {strings.Replace(seat, "patient", "doctor", 1), string(body), "exists"},
		"nothing":           {seat, "{}", "invalid"},
		"both":              {seat, strings.TrimSuffix(string(body), "}") + `,"with":{"seat":"doctor","code":"x"}}`, "invalid"},
		"a short key":       {seat, `{"verifier":"` + strings.Repeat("A", 43) + `=","room_key":"AAAA"}`, "invalid"},
	} {
		if got := admintest.ProblemOf(t, a.Ask("PUT", test.path, test.body)); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
	l.at(made.Closes)
	if got := admintest.ProblemOf(t, a.Ask("PUT", seat, string(body))); got != "ended" {
		t.Errorf("when it is over: %s", got)
	}
	l.at(day)
	if w := a.Ask("DELETE", "/v1/appointments/"+made.ID, ""); w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if got := admintest.ProblemOf(t, a.Ask("PUT", seat, string(body))); got != "ended" {
		t.Errorf("when it is revoked: %s", got)
	}
}
