package invitation

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"praxisrelay/config/lang"

	ics "github.com/arran4/golang-ical"
)

var stamp = time.Date(2026, 11, 24, 4, 20, 30, 0, time.FixedZone("", 3600))

// TestCalendar: an independent parser finds the intended values.
func TestCalendar(t *testing.T) {
	for _, language := range []lang.Language{lang.German, lang.English} {
		for _, i := range sample(t, "2026-12-01 10:00", "Europe/Berlin", language) {
			text := i.calendar(stamp)
			calendar, err := ics.ParseCalendar(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			events := calendar.Events()
			if len(events) != 1 {
				t.Fatalf("%d events", len(events))
			}
			for property, want := range map[ics.ComponentProperty]string{
				ics.ComponentPropertyUniqueId:    "jnrgqgsnkz2ja-" + i.Seat.Name + "@praxisrelay",
				ics.ComponentPropertyDtstamp:     "20261124T032030Z",
				ics.ComponentPropertyDtStart:     "20261201T090000Z",
				ics.ComponentPropertyDtEnd:       "20261201T093000Z",
				ics.ComponentPropertySummary:     i.words().title,
				ics.ComponentPropertyDescription: i.Text(),
				ics.ComponentPropertyClass:       "PRIVATE",
			} {
				if got := events[0].GetProperty(property); got == nil || got.Value != want {
					t.Errorf("%s is %+v, want %q", property, got, want)
				}
			}
			if start, err := events[0].GetStartAt(); err != nil || !start.Equal(i.Opens) {
				t.Errorf("starts at %v, %v", start, err)
			}
			if end, err := events[0].GetEndAt(); err != nil || end.Sub(i.Opens) != 30*time.Minute {
				t.Errorf("ends at %v, %v", end, err)
			}
			checkLines(t, text)
		}
	}
}

// checkLines checks a calendar's lines against RFC 5545, section 3.1.
func checkLines(t *testing.T, text []byte) {
	t.Helper()
	rest, ended := bytes.CutSuffix(text, []byte("\r\n"))
	if !ended {
		t.Error("the last line does not end with CRLF")
	}
	for _, line := range strings.Split(string(rest), "\r\n") {
		if len(line) > 75 || strings.ContainsAny(line, "\r\n") || !utf8.ValidString(line) {
			t.Errorf("a line of %d octets: %q", len(line), line)
		}
	}
}

// TestCalendarLines: lines of every length around the fold, with characters of every width, survive
// unchanged.
func TestCalendarLines(t *testing.T) {
	for _, character := range []string{"x", "ü", "€", "😀"} {
		for length := range 160 {
			value := strings.Repeat("-", length%4) + strings.Repeat(character, length)
			var c calendarWriter
			c.line("X", value)
			checkLines(t, c.Bytes())
			if got := strings.ReplaceAll(c.String(), "\r\n ", ""); got != "X:"+value+"\r\n" {
				t.Fatalf("%q became %q", value, got)
			}
		}
	}
}

func TestEscapeText(t *testing.T) {
	if got, want := escapeText("a;b,c\\d\ne\r\nf:g"), `a\;b\,c\\d\ne\nf:g`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
