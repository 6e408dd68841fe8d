package signal

import (
	"encoding/json"
	"net/http"
	"reflect"
	"testing"
	"time"

	"praxisrelay/signal/protocol"
)

// ownStatus is what the lab's program says of itself.
var ownStatus = protocol.Status{
	Version: "v1.2.3", Since: day, NotReady: []string{"the certificate has ended"}, Warnings: []string{"pepper: some codes are unknown"}, Draining: true,
	Calls: 1, Allocations: protocol.AllocationCounts{UDP: 1, TCP: 2, TLS: 3},
	Limits:       []protocol.LimitUse{{Name: "relay.max_allocations", Used: 6, Most: 20_000}},
	Listeners:    []protocol.Listener{{Name: "listen.https", Transport: "tcp", Address: "192.0.2.1:443", Inherited: true}},
	Synthetic:    []protocol.SyntheticCall{},
	Certificates: []protocol.CertificateStatus{{Names: []string{"relay.example.org"}, Issuer: "an authority", Begins: day, Ends: day, Problems: []string{"its key is short"}}},
	Reload:       &protocol.ReloadStatus{At: day, Error: "a mistake"},
	Problems:     []protocol.LoggedProblem{{Level: "warn", Message: "a warning", Details: "a=b", Count: 2, First: day, Last: day}},
}

// TestStatusCountsSessionsAndAppointments in addition to what the program says.
func TestStatusCountsSessionsAndAppointments(t *testing.T) {
	l := quick(newLab(t))
	_, doctor, _ := l.seats(day)
	l.seats(day)
	revoked, _, _ := l.seats(day)
	l.seats(day.Add(20 * time.Hour))
	l.seats(day.Add(30 * time.Hour))
	next, _, _ := l.seats(day.Add(10 * time.Hour))
	if status, body := l.admin("DELETE", "/v1/appointments/"+revoked, ""); status != http.StatusOK {
		t.Fatal(body)
	}
	l.join(doctor)
	ask := func() (got protocol.Status) {
		t.Helper()
		status, body := l.admin("GET", "/v1/status", "")
		if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
		return got
	}
	want := ownStatus
	want.Sessions = 1
	want.Appointments = protocol.AppointmentCounts{Open: 2, Revoked: 1, Upcoming: 3, Next: day.Add(10 * time.Hour)}
	if got := ask(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	l.at(day.Add(24 * time.Hour))
	if status, body := l.admin("DELETE", "/v1/appointments/"+next, ""); status != http.StatusOK {
		t.Fatal(body)
	}
	want.Appointments = protocol.AppointmentCounts{Open: 1, Over: 2, Revoked: 2, Upcoming: 1, Next: day.Add(30 * time.Hour)}
	if got := ask(); !reflect.DeepEqual(got, want) {
		t.Errorf("a day later: %+v\nwant %+v", got, want)
	}
}
