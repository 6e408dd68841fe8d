package signal

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/journal"
	"praxisrelay/signal/protocol"
	"praxisrelay/signal/seal"
)

// explained asks the admin API and checks the answer against its document.
func (l *lab) explained(id string) (told api.ExplainedAppointment) {
	l.Helper()
	status, body := l.admin("GET", "/v1/appointments/"+id+"/explanation", "")
	if status != http.StatusOK {
		l.Fatalf("%d %s", status, body)
	}
	if err := json.Unmarshal([]byte(body), &told); err != nil {
		l.Fatal(err)
	}
	return told
}

// said summarizes a seat's events.
func said(told api.ExplainedAppointment, seat string) string {
	var list []string
	for _, e := range told.Events {
		if e.Seat == seat {
			list = append(list, strings.TrimSuffix(fmt.Sprint(e.Kind, ":", e.Reason), ":"))
		}
	}
	return strings.Join(list, " ")
}

// TestWhatHappensIsRemembered: each arrival, its transport, and the outcome.
func TestWhatHappensIsRemembered(t *testing.T) {
	l := newLab(t, func(o *Options) { o.Waiting = true })
	id, doctorKeys, patientKeys := l.seats(day.Add(time.Minute))
	if told := l.explained(id); told.Cause != "upcoming" || len(told.Events)+len(told.Sessions)+len(told.Allocations) != 0 {
		t.Errorf("before: %+v", told)
	}
	l.refused(patientKeys)
	l.at(day.Add(2 * time.Minute))
	doctor := l.raw(joining(doctorKeys, seal.NewEpoch()))
	epoch := seal.NewEpoch()
	patient := l.raw(joining(patientKeys, epoch))
	session := patient.hear().Welcome.Session
	if told := l.explained(id); told.Cause != "not-let-in" || told.Side != "doctor" || len(told.Sessions) != 2 || told.Sessions[1] != (journal.Session{Seat: "patient", Over: "socket"}) {
		t.Errorf("while the patient waits: %+v", told)
	}
	doctor.say(protocol.FromClient{N: 1, Admit: &protocol.Admit{Seat: "patient", Epoch: epoch}})
	patient.until(func(f protocol.FromServer) bool { return f.ICE != nil })
	patient.socket.CloseNow()
	l.gone(session)
	if told := l.explained(id); told.Sessions[1].Over != "away" {
		t.Errorf("while the patient is away: %+v", told.Sessions)
	}
	l.at(day.Add(3 * time.Minute))
	patient = l.raw(resuming(session, 0))
	patient.until(func(f protocol.FromServer) bool { return f.Resumed != nil })
	other := l.raw(joining(patientKeys, seal.NewEpoch()))
	other.until(func(f protocol.FromServer) bool { return f.Welcome != nil })
	other.say(protocol.FromClient{Leave: &protocol.Empty{}})
	other.error()
	told := l.explained(id)
	if got, want := said(told, "patient"), "not-joined:too-early joined admitted credential lost resumed replaced joined left:hung-up"; got != want {
		t.Errorf("the patient: %s\nwant         %s", got, want)
	}
	if got, want := said(told, "doctor"), "joined credential"; got != want {
		t.Errorf("the doctor: %s, want %s", got, want)
	}
	if told.Cause != "other-device" || told.Seat != "patient" || slices.ContainsFunc(told.Events, func(e journal.Event) bool { return e.Address != "" }) {
		t.Errorf("explained as %s of %s: %+v", told.Cause, told.Seat, told.Events)
	}

	l.admin("DELETE", "/v1/appointments/"+id, "")
	if told := l.explained(id); told.Cause != "revoked" || said(told, "") != "revoked" || said(told, "doctor") != "joined credential left:revoked" {
		t.Errorf("after the revocation: %s, %+v", told.Cause, told.Events)
	}
	l.at(day.Add(time.Minute + appointment.Length + appointment.Grace))
	for range 2 { // a single one deletes nothing
		l.sweepRegistry(t.Context())
	}
	if status, _ := l.admin("GET", "/v1/appointments/"+id+"/explanation", ""); status != http.StatusNotFound {
		t.Errorf("a swept appointment: %d", status)
	}
	if events, _ := l.journal.Events(id); events != nil {
		t.Errorf("after the sweep: %+v", events)
	}
}

// TestTheDoctorAloneIsToldWhy: a patient's session that asks is ended.
func TestTheDoctorAloneIsToldWhy(t *testing.T) {
	l := newLab(t)
	_, doctorKeys, patientKeys := l.seats(day)
	doctor := l.raw(joining(doctorKeys, seal.NewEpoch()))
	doctor.say(protocol.FromClient{N: 1, Explain: &protocol.Empty{}})
	e := doctor.until(func(f protocol.FromServer) bool { return f.Explanation != nil })
	if e.Explanation.Cause != "not-joined" || e.Explanation.Text["de"] == "" || e.Explanation.Text["en"] == "" || e.N == 0 {
		t.Errorf("%+v", e)
	}
	patient := l.raw(joining(patientKeys, seal.NewEpoch()))
	patient.say(protocol.FromClient{N: 1, Explain: &protocol.Empty{}})
	if code := patient.error(); code != protocol.BadRequest {
		t.Errorf("the patient who asks gets %s", code)
	}
}
