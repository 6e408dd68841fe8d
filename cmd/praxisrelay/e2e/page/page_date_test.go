package page

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
)

// TestClockOfADeviceIsWrong checks that a call works on a device with a wrong clock, and that the
// page asks for a new credential when that is due, not earlier.
func TestClockOfADeviceIsWrong(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, c := range []struct {
		name            string
		doctor, patient time.Duration
	}{
		{"by weeks", -27 * day, 27 * day},
		{"by years", 3652 * day, -3652 * day},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			info, _ := apptest.StartDemo(t)
			doctor, patient := apptest.NewBrowser(t, "doctor"), apptest.NewBrowser(t, "patient")
			doctor.Prepend(t, shiftDate(c.doctor))
			patient.Prepend(t, shiftDate(c.patient))
			doctor.Open(t, info.Doctor.Link, "policy=relay")
			patient.Open(t, info.Patient.Link, "policy=relay")
			apptest.Meet(t, doctor, patient)
			for _, b := range []*apptest.Browser{doctor, patient} {
				// makes the page look for another way
				b.Eval(t, `void dispatchEvent(new Event('online'))`, nil)
				b.WaitForFrames(t, 60)
				var heard []string
				b.Eval(t, `heard.slice(heard.lastIndexOf('welcome'))`, &heard)
				if made := strings.Count(strings.Join(heard, " "), "ice"); made != 1 {
					t.Errorf("%s: %d credentials were made: %v", b.Name, made, heard)
				}
			}
		})
	}
}

// shiftDate makes a page believe in another time.
func shiftDate(by time.Duration) string {
	return fmt.Sprintf(`
		const now = Date.now;
		window.Date = class extends Date {
			constructor(...when) { super(...(when.length ? when : [window.Date.now()])); }
			static now() { return now() + %d; }
		};`, by.Milliseconds())
}
