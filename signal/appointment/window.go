package appointment

import (
	"errors"
	"fmt"
	"time"
)

// DefaultZone is the default time zone of appointments.
const DefaultZone = "Europe/Berlin"

// layouts are the ways people and spreadsheets write a local time. Dates with slashes are not among
// them: the month may be the first number or the second.
var layouts = []string{
	"2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02",
	"2.1.2006 15:04", "2.1.2006 15:04:05", "2.1.2006", "2.1.06 15:04", "2.1.06 15:04:05", "2.1.06",
}

// ParseStart reads when an appointment opens: "2026-12-01 10:00" or "01.12.2026 10:00" in
// the given zone, an RFC 3339 instant, or "now".
//
// A local time that daylight saving skips or repeats has two readings. The earlier one is taken, so
// that the code opens whichever was meant.
func ParseStart(text, zone string, now time.Time) (time.Time, error) {
	if text == "now" {
		return now.UTC().Truncate(time.Second), nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.UTC(), nil
	}
	where, err := LoadZone(zone)
	if err != nil {
		return time.Time{}, err
	}
	for _, layout := range layouts {
		if wall, err := time.Parse(layout, text); err == nil {
			return earliest(wall, where).UTC(), nil
		}
	}
	// The text is not quoted: a wrong column of a list may hold names.
	return time.Time{}, errors.New("start is not understood: write it like \"2026-12-01 10:00\", \"01.12.2026 10:00\", 2026-12-01T10:00:00+01:00 or now")
}

// LoadZone returns a time zone by a name like Europe/Berlin.
func LoadZone(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" {
		return nil, fmt.Errorf("zone %q is unknown: use a name like %s", name, DefaultZone)
	}
	return zone, nil
}

// earliest returns the earliest instant that wall, whose fields are given as UTC, may mean on
// clocks at where: one at which they show it or, in a skipped hour, the one that the offset after
// the gap leads to.
func earliest(wall time.Time, where *time.Location) time.Time {
	_, before := wall.Add(-24 * time.Hour).In(where).Zone()
	_, after := wall.Add(24 * time.Hour).In(where).Zone()
	early := wall.Add(-time.Duration(max(before, after)) * time.Second)
	late := wall.Add(-time.Duration(min(before, after)) * time.Second)
	if !shows(early, where, wall) && shows(late, where, wall) {
		return late
	}
	return early
}

func shows(t time.Time, where *time.Location, wall time.Time) bool {
	return t.In(where).Format(time.DateTime) == wall.Format(time.DateTime)
}
