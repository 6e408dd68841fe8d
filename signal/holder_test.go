package signal

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/code"
	"praxisrelay/signal/seal"
)

// TestWhomCredentialsAreFor: each code of a seat has its generation, a check has the sum of all
// seats' generations, and no credential outlives the row that remembers its revocation.
func TestWhomCredentialsAreFor(t *testing.T) {
	l := newLab(t)
	id, doctor, patient := l.seats(day)
	until := day.Add(appointment.Length + appointment.Grace)
	holds := func(want Holder) {
		t.Helper()
		l.relay.mu.Lock()
		defer l.relay.mu.Unlock()
		if want.Appointment, want.Until = id, until; l.relay.last != want {
			t.Errorf("the credential is for %+v, want %+v", l.relay.last, want)
		}
	}
	enter := func(generation int) {
		t.Helper()
		session := l.join(doctor)
		waitICE(t, session)
		session.Close()
		holds(Holder{Seat: "doctor", Generation: generation})
		if _, err := l.checking(patient).Join(t.Context()); err != nil {
			t.Fatal(err)
		}
		holds(Holder{Seat: "test", Generation: generation})
	}
	enter(0)
	for generation := 1; generation <= 2; generation++ { // within one second
		doctor = code.Keys{JoinToken: seal.NewRoomKey(), SealKey: seal.NewRoomKey()}
		verifier := doctor.Verifier()
		body := api.NewCode{Verifier: verifier[:], RoomKey: seal.NewRoomKey().Wrap(doctor.SealKey, id, "doctor")}
		if status, text := l.admin("PUT", "/v1/appointments/"+id+"/seats/doctor", body); status != http.StatusOK {
			t.Fatal(text)
		}
		enter(generation)
	}
}

// TestOneSweepWithTheClockAheadDeletesNothing: a row remembers which credentials are refused, so it
// is deleted only when two sweeps, an hour apart, find it over.
func TestOneSweepWithTheClockAheadDeletesNothing(t *testing.T) {
	l := newLab(t)
	id, _, _ := l.seats(day)
	if status, text := l.admin("DELETE", "/v1/appointments/"+id, ""); status != http.StatusOK {
		t.Fatal(text)
	}
	over := day.Add(appointment.Length + appointment.Grace)
	for i, step := range []struct {
		now  time.Time
		kept bool
	}{
		{over.AddDate(1, 0, 0), true}, // at the start, before the clock is set
		{day, true},
		{over.AddDate(1, 0, 0), true},
		{over.Add(-time.Second), true},
		{over, true},
		{over.Add(time.Hour), false},
	} {
		l.at(step.now)
		l.sweepRegistry(t.Context())
		_, err := l.registry.Get(t.Context(), id)
		if kept := err == nil; kept != step.kept || slices.Contains(l.relay.revoked, id) != step.kept {
			t.Fatalf("step %d: the row is kept: %v; the relay refuses %q; want %v", i, kept, l.relay.revoked, step.kept)
		}
	}
}
