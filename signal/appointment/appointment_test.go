package appointment

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestParseStart(t *testing.T) {
	now := time.Date(2026, 11, 24, 4, 20, 30, 999, time.FixedZone("", 3600))
	for _, test := range []struct{ text, zone, want string }{
		{"2026-12-01 10:00", DefaultZone, "2026-12-01T09:00:00Z"},
		{"2026-12-01T10:00", DefaultZone, "2026-12-01T09:00:00Z"},
		{"2026-07-01 10:00", DefaultZone, "2026-07-01T08:00:00Z"},
		{"2026-07-01", DefaultZone, "2026-06-30T22:00:00Z"},
		{"2028-02-29 12:00", DefaultZone, "2028-02-29T11:00:00Z"},
		{"2026-12-01 10:00", "America/New_York", "2026-12-01T15:00:00Z"},
		{"2026-12-01T10:00:00+01:00", "no zone", "2026-12-01T09:00:00Z"},
		{"now", "no zone", "2026-11-24T03:20:30Z"},
		{"05.12.2026 10:00", DefaultZone, "2026-12-05T09:00:00Z"}, // as German spreadsheets write it
		{"5.12.26 9:05", DefaultZone, "2026-12-05T08:05:00Z"},
		{"05.12.2026 10:00:30", DefaultZone, "2026-12-05T09:00:30Z"},
		{"2026-12-05 10:00:30", DefaultZone, "2026-12-05T09:00:30Z"},
		{"05.12.2026", DefaultZone, "2026-12-04T23:00:00Z"},
		// The day before, of, and after each switch.
		{"2026-03-28 12:00", DefaultZone, "2026-03-28T11:00:00Z"},
		{"2026-03-29 01:59", DefaultZone, "2026-03-29T00:59:00Z"},
		{"2026-03-29 02:30", DefaultZone, "2026-03-29T00:30:00Z"}, // lost: 01:30 CET, the earlier reading
		{"2026-03-29 03:00", DefaultZone, "2026-03-29T01:00:00Z"},
		{"2026-10-25 01:59", DefaultZone, "2026-10-24T23:59:00Z"},
		{"2026-10-25 02:30", DefaultZone, "2026-10-25T00:30:00Z"}, // doubled: the first
		{"2026-10-25 03:00", DefaultZone, "2026-10-25T02:00:00Z"},
		{"2027-03-28 02:30", DefaultZone, "2027-03-28T00:30:00Z"},
		{"2027-03-28 23:00", DefaultZone, "2027-03-28T21:00:00Z"},
		{"2027-03-27 23:00", DefaultZone, "2027-03-27T22:00:00Z"},
		{"2027-10-31 02:30", DefaultZone, "2027-10-31T00:30:00Z"},
		{"2027-10-31 23:00", DefaultZone, "2027-10-31T22:00:00Z"},
		{"2027-10-30 23:00", DefaultZone, "2027-10-30T21:00:00Z"},
	} {
		got, err := ParseStart(test.text, test.zone, now)
		if err != nil || got.Format(time.RFC3339Nano) != test.want || got.Location() != time.UTC {
			t.Errorf("ParseStart(%q, %q) = %v, %v; want %s", test.text, test.zone, got, err, test.want)
		}
	}
	for _, bad := range [][2]string{
		{"", DefaultZone}, {"tomorrow", DefaultZone}, {"2026-02-30 10:00", DefaultZone}, {"2026-12-01 25:00", DefaultZone},
		{"2026-12-01 10:00", "Europe/Bonn"}, {"2026-12-01 10:00", ""}, {"12/01/2026 10:00", DefaultZone}, {"31.11.2026 10:00", DefaultZone},
		{"12.2026", DefaultZone}, {"01.12.2026 24:00", DefaultZone}, {"01.12.126 10:00", DefaultZone},
	} {
		if got, err := ParseStart(bad[0], bad[1], now); err == nil {
			t.Errorf("ParseStart(%q, %q) = %v", bad[0], bad[1], got)
		}
	}
}

// TestState at both ends of the window; revoked stays revoked whatever the clock shows.
func TestState(t *testing.T) {
	a := Appointment{Opens: day, Closes: day.Add(Length)}
	revoked := a
	revoked.Revoked = day
	for offset, want := range map[time.Duration]State{
		-time.Nanosecond: Upcoming, 0: Open, Length - time.Nanosecond: Open, Length: Over,
	} {
		if got := a.State(day.Add(offset)); got != want {
			t.Errorf("%v after the start: %s, want %s", offset, got, want)
		}
		if got := revoked.State(day.Add(offset)); got != Revoked {
			t.Errorf("revoked, %v after the start: %s", offset, got)
		}
	}
}

var day = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

func sample(seed byte, opens time.Time) Appointment {
	a := Appointment{ID: NewID(), Opens: opens, Closes: opens.Add(Length), Created: opens}
	for i, name := range SeatNames {
		a.Seats = append(a.Seats, Seat{Name: name, Lookup: Lookup{seed, byte(i)}, RoomKey: make([]byte, 60)})
	}
	return a
}

func TestValidate(t *testing.T) {
	if err := sample(1, day).Validate(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Appointment){
		"no id":              func(a *Appointment) { a.ID = "" },
		"an id for a path":   func(a *Appointment) { a.ID = "../../../etc/" },
		"an id with a dot":   func(a *Appointment) { a.ID = "abcdefghijk.l" },
		"an id of two lines": func(a *Appointment) { a.ID = a.ID[:5] + "\n" + a.ID[5:] },
		"closes before":      func(a *Appointment) { a.Closes = a.Opens },
		"open for ever":      func(a *Appointment) { a.Closes = a.Opens.AddDate(1, 0, 0) },
		"one seat":           func(a *Appointment) { a.Seats = a.Seats[:1] },
		"three seats":        func(a *Appointment) { a.Seats = append(a.Seats, a.Seats[0]) },
		"a seat twice":       func(a *Appointment) { a.Seats[1].Name = Doctor },
		"one code for both":  func(a *Appointment) { a.Seats[1].Lookup = a.Seats[0].Lookup },
		"a name for a ref":   func(a *Appointment) { a.Ref = "M. Muster" },
		"a long ref":         func(a *Appointment) { a.Ref = strings.Repeat("x", 65) },
	} {
		a := sample(1, day)
		spoil(&a)
		if a.Validate() == nil {
			t.Errorf("%s is valid", name)
		}
	}
	for size, valid := range map[int]bool{0: false, 59: false, 60: true, 61: false} {
		if err := CheckRoomKey(make([]byte, size)); (err == nil) != valid {
			t.Errorf("a wrapped key of %d bytes: %v", size, err)
		}
	}
}

// TestRowsOfOlderPrograms have no generation, or lost it when an older program rewrote the row: the
// next one is above those of all former holders.
func TestRowsOfOlderPrograms(t *testing.T) {
	for row, want := range map[string]int{
		`{"seats":[{"name":"doctor"},{"name":"patient"}]}`:                                                        0,
		`{"seats":[{"name":"doctor"},{"name":"patient","reissued":"2026-12-01T09:00:10Z"}]}`:                      lostGeneration,
		`{"seats":[{"name":"doctor"},{"name":"patient","reissued":"2026-12-01T09:00:10Z","generation":2}]}`:       2,
		`{"seats":[{"name":"doctor"},{"name":"patient","reissued":"2026-12-01T09:00:10Z","generation":4194305}]}`: lostGeneration + 1,
	} {
		var a Appointment
		if err := json.Unmarshal([]byte(row), &a); err != nil {
			t.Fatal(err)
		}
		if got := a.Generation(Patient); got != want || a.Generation(Doctor) != 0 || a.Generation(Test) != want {
			t.Errorf("%s: generation %d, want %d", row, got, want)
		}
	}
}
