package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestClockOfADeviceIsWrong: the call comes about, and a newer credential is asked for when
// it is due, not before.
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
			info, _ := startDemo(t)
			doctor, patient := newBrowser(t, "doctor"), newBrowser(t, "patient")
			doctor.prepend(t, shiftDate(c.doctor))
			patient.prepend(t, shiftDate(c.patient))
			doctor.open(t, info.Doctor.Link, "policy=relay")
			patient.open(t, info.Patient.Link, "policy=relay")
			meet(t, doctor, patient)
			for _, b := range []*browser{doctor, patient} {
				b.eval(t, `void dispatchEvent(new Event('online'))`, nil) // it looks for another way
				b.arriving(t, 60)
				var heard []string
				b.eval(t, `heard.slice(heard.lastIndexOf('welcome'))`, &heard)
				if made := strings.Count(strings.Join(heard, " "), "ice"); made != 1 {
					t.Errorf("%s: %d credentials were made: %v", b.name, made, heard)
				}
			}
		})
	}
}

// shiftDate has a page believe in another time.
func shiftDate(by time.Duration) string {
	return fmt.Sprintf(`
		const now = Date.now;
		window.Date = class extends Date {
			constructor(...when) { super(...(when.length ? when : [window.Date.now()])); }
			static now() { return now() + %d; }
		};`, by.Milliseconds())
}
