package admin

import (
	"encoding/json"
	"net/http"
	"reflect"
	"testing"
	"time"

	"praxisrelay/signal/admin/admintest"
	"praxisrelay/signal/admin/api"
)

// TestStatusCountsSessionsAndAppointments in addition to the program's own status.
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
	ask := func() (got api.Status) {
		t.Helper()
		status, body := l.admin("GET", "/v1/status", "")
		if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
		return got
	}
	want := admintest.Status(day)
	want.Sessions = 1
	want.Appointments = api.AppointmentCounts{Open: 2, Revoked: 1, Upcoming: 3, Next: day.Add(10 * time.Hour)}
	if got := ask(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	l.at(day.Add(24 * time.Hour))
	if status, body := l.admin("DELETE", "/v1/appointments/"+next, ""); status != http.StatusOK {
		t.Fatal(body)
	}
	want.Appointments = api.AppointmentCounts{Open: 1, Over: 2, Revoked: 2, Upcoming: 1, Next: day.Add(30 * time.Hour)}
	if got := ask(); !reflect.DeepEqual(got, want) {
		t.Errorf("a day later: %+v\nwant %+v", got, want)
	}
}
