// Package invitation writes what a practice gives to the two sides of an appointment: a text, a
// calendar entry, a QR code and a page to print. It reads the list of a day's appointments to be
// made, and writes the list of those made.
//
// Nothing here is sent anywhere. Every file written holds a code, which opens the appointment: it
// is for its recipient only. In links the code follows the #, which browsers send to nobody.
package invitation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"praxisrelay/config/lang"
	"praxisrelay/signal/admin/adminclient"
)

// Invitation is the information for one seat of an appointment.
type Invitation struct {
	Appointment string // its id
	Seat        adminclient.CreatedSeat
	Opens       time.Time
	Closes      time.Time
	Language    lang.Language
	Zone        *time.Location // for times shown to people
}

// For returns an appointment's invitations, one per seat.
func For(a adminclient.Created, language lang.Language, zone *time.Location) []Invitation {
	var list []Invitation
	for _, seat := range a.Seats {
		list = append(list, Invitation{a.ID, seat, a.Opens, a.Closes, language, zone})
	}
	return list
}

// Formats are the formats of an invitation. Each is also its file's extension.
var Formats = []string{"txt", "ics", "svg", "html"}

// CheckFormats refuses anything not in Formats.
func CheckFormats(formats []string) error {
	for _, format := range formats {
		if !slices.Contains(Formats, format) {
			return fmt.Errorf("format %q is unknown: use some of %s", format, strings.Join(Formats, ","))
		}
	}
	return nil
}

// FileName returns the name of the invitation's file: nothing in it is secret.
func (i Invitation) FileName(format string) string {
	return i.Appointment + "-" + i.Seat.Name + "." + format
}

// Render writes the invitation in one of Formats. Calendar entries are stamped with now.
func (i Invitation) Render(format string, now time.Time) ([]byte, error) {
	switch format {
	case "txt":
		return []byte(i.Text()), nil
	case "ics":
		return i.calendar(now), nil
	case "svg", "html":
		qr, err := NewQR(i.Seat.Link)
		if err != nil {
			return nil, err
		}
		if format == "svg" {
			return []byte(qr.SVG()), nil
		}
		return i.page(qr)
	}
	return nil, CheckFormats([]string{format})
}

// fact is a labeled line of the invitation.
type fact struct{ Name, Value string }

// facts returns the lines that differ between invitations.
func (i Invitation) facts() []fact {
	w := i.words()
	return []fact{
		{w.begins, i.when(i.Opens)},
		{w.until, i.when(i.Closes)},
		{w.code, i.Seat.Code.Format()},
		{w.link, i.Seat.Link},
	}
}

// advice returns the sentences that are the same in all.
func (i Invitation) advice() []string {
	w := i.words()
	page, _, _ := strings.Cut(i.Seat.Link, "#")
	return []string{fmt.Sprintf(w.join, page), w.again, w.needed, w.secret}
}

// Text returns the invitation as plain text, with a line per paragraph: mail programs wrap them.
func (i Invitation) Text() string {
	var b strings.Builder
	b.WriteString(i.words().heading[i.Seat.Name] + "\n\n")
	for _, f := range i.facts() {
		fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
	}
	for _, sentence := range i.advice() {
		b.WriteString("\n" + sentence + "\n")
	}
	return b.String()
}
