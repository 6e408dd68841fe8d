package cli

import (
	"strings"
	"testing"
	"time"

	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/appointment"
)

func TestWhenADrainIsOver(t *testing.T) {
	berlin, err := appointment.LoadZone(appointment.DefaultZone)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 10, 24, 14, 0, 0, 0, berlin) // the clocks are set back that night
	for text, want := range map[string]string{
		"":                     "0001-01-01T00:00:00Z",
		"30m":                  "2026-10-24T14:30:00+02:00",
		"14:20":                "2026-10-24T14:20:00+02:00",
		"14:00":                "2026-10-25T14:00:00+01:00",
		"07:30":                "2026-10-25T07:30:00+01:00",
		"2026-12-01 10:00":     "2026-12-01T10:00:00+01:00",
		"2026-12-01T10:00:00Z": "2026-12-01T11:00:00+01:00",
	} {
		if got, err := readUntil(text, now, berlin); err != nil ||
			got.Format(time.RFC3339) != want && got.In(berlin).Format(time.RFC3339) != want {
			t.Errorf("%q is read as %v, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"soon", "-5m", "0s", "2026-10-24 13:59", "now", "25:00",
		"9998-12-01 10:00"} {
		if got, err := readUntil(text, now, berlin); err == nil ||
			!strings.HasPrefix(err.Error(), "--until ") {
			t.Errorf("%q is read as %v, %v", text, got, err)
		}
	}
	for text, d := range map[string]api.Drained{
		"2 calls, next appointment at 14:20 CEST":                {Calls: 2, Next: now.Add(20 * time.Minute)},
		"1 call, next appointment at Sun 2026-10-25 08:00 CET":   {Calls: 1, Next: now.Add(19 * time.Hour)},
		"0 calls, no upcoming appointment":                       {},
		"12 calls, next appointment at Sat 2026-10-31 14:00 CET": {Calls: 12, Next: now.AddDate(0, 0, 7)},
	} {
		if got := describeDrain(d, now, berlin); got != text {
			t.Errorf("said %q, want %q", got, text)
		}
	}
}
