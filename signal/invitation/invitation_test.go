package invitation

import (
	"strings"
	"testing"
	"time"

	"praxisrelay/config/lang"
	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/code"
)

// sample returns the invitations of an appointment that starts at a local time.
func sample(t *testing.T, start, zone string, language lang.Language) []Invitation {
	t.Helper()
	opens, err := appointment.ParseStart(start, zone, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	made := adminclient.Created{ID: "jnrgqgsnkz2ja", Opens: opens, Closes: opens.Add(appointment.Length)}
	for i, text := range []string{"KTRW-BZMF-QHDF", "BBBB-BBBB-BBBB"} {
		c, err := code.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		made.Seats = append(made.Seats, adminclient.CreatedSeat{
			Name: appointment.SeatNames[i], Code: c, Link: "https://relay.example.org/#" + c.Format(),
		})
	}
	where, err := appointment.LoadZone(zone)
	if err != nil {
		t.Fatal(err)
	}
	return For(made, language, where)
}

func TestText(t *testing.T) {
	german, english := sample(t, "2026-12-01 10:00", "Europe/Berlin", lang.German), sample(t, "2026-12-01 10:00", "Europe/Berlin", lang.English)
	for _, test := range []struct {
		invitation Invitation
		want       string
	}{
		{german[1], `Einladung zur Videosprechstunde

Beginn: Dienstag, 1. Dezember 2026, 10:00 Uhr (MEZ)
Der Code gilt bis: Mittwoch, 2. Dezember 2026, 10:00 Uhr (MEZ)
Code: BBBB-BBBB-BBBB
Link: https://relay.example.org/#BBBB-BBBB-BBBB

So nehmen Sie teil: Öffnen Sie den Link, oder öffnen Sie https://relay.example.org/ und geben Sie dort den Code ein.

Bis zum Ende der Gültigkeit können Sie den Code beliebig oft benutzen, zum Beispiel nach einer Unterbrechung oder auf einem anderen Gerät.

Sie brauchen einen aktuellen Browser (Chrome, Edge, Firefox oder Safari), eine Kamera und ein Mikrofon. Sie müssen nichts installieren.

Der Code und der Link sind vertraulich und nur für Sie bestimmt: Wer sie kennt, kann an Ihrer Stelle teilnehmen.
`},
		{english[0], `Video consultation: access for the practice

Begins: Tuesday, 1 December 2026, 10:00 (CET)
The code works until: Wednesday, 2 December 2026, 10:00 (CET)
Code: KTRW-BZMF-QHDF
Link: https://relay.example.org/#KTRW-BZMF-QHDF

How to join: open the link, or open https://relay.example.org/ and enter the code there.

Until then you can use the code any number of times, for example after an interruption or on another device.

You need a current browser (Chrome, Edge, Firefox or Safari), a camera and a microphone. There is nothing to install.

The code and the link are confidential and meant for you alone: whoever knows them can join in your place.
`},
	} {
		if got := test.invitation.Text(); got != test.want {
			t.Errorf("got\n%s\nwant\n%s", got, test.want)
		}
	}
}

// TestTextTellsLocalTimes, whatever the server's zone is, and on either side of a switch.
func TestTextTellsLocalTimes(t *testing.T) {
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	old := time.Local
	time.Local = newYork
	defer func() { time.Local = old }()
	for _, test := range []struct {
		start, zone  string
		language     lang.Language
		begins, ends string
	}{
		// The lost hour: the earlier reading, 01:30 CET.
		{"2027-03-28 02:30", "Europe/Berlin", lang.German, "Sonntag, 28. März 2027, 01:30 Uhr (MEZ)", "Montag, 29. März 2027, 02:30 Uhr (MESZ)"},
		{"2027-03-28 02:30", "Europe/Berlin", lang.English, "Sunday, 28 March 2027, 01:30 (CET)", "Monday, 29 March 2027, 02:30 (CEST)"},
		{"2027-03-27 23:00", "Europe/Berlin", lang.German, "Samstag, 27. März 2027, 23:00 Uhr (MEZ)", "Montag, 29. März 2027, 00:00 Uhr (MESZ)"},
		// The doubled hour: its first time, and its second by an instant.
		{"2027-10-31 02:30", "Europe/Berlin", lang.German, "Sonntag, 31. Oktober 2027, 02:30 Uhr (MESZ)", "Montag, 1. November 2027, 01:30 Uhr (MEZ)"},
		{"2027-10-31T02:30:00+01:00", "Europe/Berlin", lang.German, "Sonntag, 31. Oktober 2027, 02:30 Uhr (MEZ)", "Montag, 1. November 2027, 02:30 Uhr (MEZ)"},
		{"2028-02-29 08:05", "Europe/Berlin", lang.German, "Dienstag, 29. Februar 2028, 08:05 Uhr (MEZ)", "Mittwoch, 1. März 2028, 08:05 Uhr (MEZ)"},
		{"2026-07-15 10:00", "America/New_York", lang.English, "Wednesday, 15 July 2026, 10:00 (EDT)", "Thursday, 16 July 2026, 10:00 (EDT)"},
		{"2026-07-15 10:00", "Asia/Dubai", lang.German, "Mittwoch, 15. Juli 2026, 10:00 Uhr (UTC+04)", "Donnerstag, 16. Juli 2026, 10:00 Uhr (UTC+04)"},
	} {
		text := sample(t, test.start, test.zone, test.language)[0].Text()
		for _, want := range []string{": " + test.begins + "\n", ": " + test.ends + "\n"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s in %s: %q is not in\n%s", test.start, test.zone, want, text)
			}
		}
	}
}

// TestLanguagesAreComplete: no language lacks a word.
func TestLanguagesAreComplete(t *testing.T) {
	for language, w := range languages {
		all := append([]string{w.title, w.begins, w.until, w.code, w.link, w.join, w.again, w.needed, w.secret, w.qr, w.when}, w.weekdays[:]...)
		all = append(all, w.months[1:]...)
		for _, name := range appointment.SeatNames {
			all = append(all, w.heading[name])
		}
		for i, word := range all {
			if word == "" {
				t.Errorf("%s lacks word %d", language, i)
			}
		}
	}
	if _, err := lang.Parse("fr"); err == nil {
		t.Error("an unknown language is known")
	}
}

// TestRender: every format, for every seat, and names without secrets.
func TestRender(t *testing.T) {
	for _, i := range sample(t, "2026-12-01 10:00", "Europe/Berlin", lang.German) {
		for _, format := range Formats {
			text, err := i.Render(format, i.Opens)
			if err != nil || len(text) == 0 {
				t.Errorf("%s: %d bytes, %v", format, len(text), err)
			}
			if got, want := i.FileName(format), "jnrgqgsnkz2ja-"+i.Seat.Name+"."+format; got != want {
				t.Errorf("named %s, want %s", got, want)
			}
		}
		if _, err := i.Render("pdf", i.Opens); err == nil {
			t.Error("rendered what is no format")
		}
	}
}
