package invitation

import (
	"bytes"
	"strings"
	"time"
	"unicode/utf8"
)

// eventLength is the length of the consultation in a calendar. The real one is unknown, and the 24
// hours of its code would fill the calendar; but an event without an end takes no time (RFC 5545,
// section 3.6.1), and programs show nothing for it or refuse it. Half an hour is what calendars
// give an event made by hand.
const eventLength = 30 * time.Minute

// calendar returns the invitation as a calendar with one event (RFC 5545). Its end is a DTEND,
// since not every program reads a DURATION, and its times are UTC, which needs no VTIMEZONE. It is
// private, so that people who share the calendar cannot read the code.
func (i Invitation) calendar(now time.Time) []byte {
	const utc = "20060102T150405Z"
	var c calendarWriter
	c.line("BEGIN", "VCALENDAR")
	c.line("VERSION", "2.0")
	c.line("PRODID", "-//praxisrelay//praxisrelay//EN")
	c.line("BEGIN", "VEVENT")
	c.line("UID", i.Appointment+"-"+i.Seat.Name+"@praxisrelay")
	c.line("DTSTAMP", now.UTC().Format(utc))
	c.line("DTSTART", i.Opens.UTC().Format(utc))
	c.line("DTEND", i.Opens.Add(eventLength).UTC().Format(utc))
	c.line("SUMMARY", escapeText(i.words().title))
	c.line("DESCRIPTION", escapeText(i.Text()))
	c.line("CLASS", "PRIVATE")
	c.line("END", "VEVENT")
	c.line("END", "VCALENDAR")
	return c.Bytes()
}

// escapeText escapes a value of the type TEXT (RFC 5545, section 3.3.11).
var escapeText = strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\r\n", `\n`, "\n", `\n`).Replace

// calendarWriter writes content lines, folded at 75 octets but never within a character (RFC 5545,
// section 3.1).
type calendarWriter struct{ bytes.Buffer }

func (c *calendarWriter) line(name, value string) {
	octets := 0
	for _, r := range name + ":" + value {
		if octets += utf8.RuneLen(r); octets > 75 {
			c.WriteString("\r\n ")
			octets = 1 + utf8.RuneLen(r)
		}
		c.WriteRune(r)
	}
	c.WriteString("\r\n")
}
