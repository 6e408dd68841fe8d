package appointment

import (
	"testing"
	"time"
)

// TestWindowsAcrossSwitches: 24 hours from the start are 24 hours of real time, whatever clocks
// show and whatever the server's own zone is.
func TestWindowsAcrossSwitches(t *testing.T) {
	old := time.Local
	defer func() { time.Local = old }()
	berlin, err := LoadZone(DefaultZone)
	if err != nil {
		t.Fatal(err)
	}
	for _, server := range []string{"UTC", DefaultZone, "America/New_York", "Pacific/Kiritimati"} {
		if time.Local, err = LoadZone(server); err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct{ start, opens, closes string }{
			// Clocks go from 02:00 CET to 03:00 CEST. The lost hour is read as CET's 01:xx.
			{"2027-03-27 23:00", "2027-03-27 23:00 CET", "2027-03-29 00:00 CEST"},
			{"2027-03-28 01:59", "2027-03-28 01:59 CET", "2027-03-29 02:59 CEST"},
			{"2027-03-28 02:00", "2027-03-28 01:00 CET", "2027-03-29 02:00 CEST"},
			{"2027-03-28 02:30", "2027-03-28 01:30 CET", "2027-03-29 02:30 CEST"},
			{"2027-03-28 02:59", "2027-03-28 01:59 CET", "2027-03-29 02:59 CEST"},
			{"2027-03-28 03:00", "2027-03-28 03:00 CEST", "2027-03-29 03:00 CEST"},
			{"2027-03-27 02:30", "2027-03-27 02:30 CET", "2027-03-28 03:30 CEST"}, // ends in it
			// Clocks go from 03:00 CEST to 02:00 CET. The doubled hour is read as CEST's.
			{"2027-10-30 23:00", "2027-10-30 23:00 CEST", "2027-10-31 22:00 CET"},
			{"2027-10-31 01:59", "2027-10-31 01:59 CEST", "2027-11-01 00:59 CET"},
			{"2027-10-31 02:00", "2027-10-31 02:00 CEST", "2027-11-01 01:00 CET"},
			{"2027-10-31 02:59", "2027-10-31 02:59 CEST", "2027-11-01 01:59 CET"},
			{"2027-10-31T02:30:00+01:00", "2027-10-31 02:30 CET", "2027-11-01 02:30 CET"}, // its second time
			{"2027-10-31 03:00", "2027-10-31 03:00 CET", "2027-11-01 03:00 CET"},
			{"2027-10-30 02:30", "2027-10-30 02:30 CEST", "2027-10-31 02:30 CEST"}, // ends in it, the first time
			{"2027-10-30 03:30", "2027-10-30 03:30 CEST", "2027-10-31 02:30 CET"},  // the second time
			// A leap day.
			{"2028-02-28 10:00", "2028-02-28 10:00 CET", "2028-02-29 10:00 CET"},
			{"2028-02-29 10:00", "2028-02-29 10:00 CET", "2028-03-01 10:00 CET"},
		} {
			opens, err := ParseStart(test.start, DefaultZone, day)
			if err != nil {
				t.Fatal(err)
			}
			a := Appointment{Opens: opens, Closes: opens.Add(Length)}
			const layout = "2006-01-02 15:04 MST"
			if got := a.Opens.In(berlin).Format(layout); got != test.opens {
				t.Errorf("%s on a server in %s opens %s, want %s", test.start, server, got, test.opens)
			}
			if got := a.Closes.In(berlin).Format(layout); got != test.closes {
				t.Errorf("%s on a server in %s closes %s, want %s", test.start, server, got, test.closes)
			}
			// To the second at either end, by a clock without switches.
			for offset, want := range map[time.Duration]State{
				-time.Second: Upcoming, 0: Open, 24*time.Hour - time.Second: Open, 24 * time.Hour: Over,
			} {
				if got := a.State(time.Unix(opens.Unix(), 0).Add(offset)); got != want {
					t.Errorf("%s, %v from its start: %v, want %v", test.start, offset, got, want)
				}
			}
		}
	}
}
