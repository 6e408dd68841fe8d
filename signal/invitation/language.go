package invitation

import (
	"fmt"
	"strings"
	"time"

	"praxisrelay/config/lang"
	"praxisrelay/signal/appointment"
)

// words is a language's vocabulary for invitations.
type words struct {
	title                     string            // for calendars
	heading                   map[string]string // by seat
	begins, until, code, link string
	join                      string // with the page's address for %s
	again                     string
	needed                    string
	secret                    string
	qr                        string
	// weekdays and months as time.Weekday and time.Month count them, the latter from 1.
	weekdays [7]string
	months   [13]string
	when     string            // weekday, day, month, year, hour, minute, zone
	zones    map[string]string // where people do not use the international abbreviation
}

func (i Invitation) words() words { return languages[i.Language] }

// when formats a time for people, with the zone's name at that time.
func (i Invitation) when(t time.Time) string {
	t, w := t.In(i.Zone), i.words()
	zone, _ := t.Zone()
	if local, ok := w.zones[zone]; ok {
		zone = local
	}
	if strings.HasPrefix(zone, "+") || strings.HasPrefix(zone, "-") {
		zone = "UTC" + zone // a zone without a name is abbreviated by its offset
	}
	return fmt.Sprintf(w.when, w.weekdays[t.Weekday()], t.Day(), w.months[t.Month()], t.Year(), t.Hour(), t.Minute(), zone)
}

var languages = map[lang.Language]words{
	lang.German: {
		title: "Videosprechstunde",
		heading: map[string]string{
			appointment.Patient: "Einladung zur Videosprechstunde",
			appointment.Doctor:  "Videosprechstunde: Zugang für die Praxis",
		},
		begins:   "Beginn",
		until:    "Der Code gilt bis",
		code:     "Code",
		link:     "Link",
		join:     "So nehmen Sie teil: Öffnen Sie den Link, oder öffnen Sie %s und geben Sie dort den Code ein.",
		again:    "Bis zum Ende der Gültigkeit können Sie den Code beliebig oft benutzen, zum Beispiel nach einer Unterbrechung oder auf einem anderen Gerät.",
		needed:   "Sie brauchen einen aktuellen Browser (Chrome, Edge, Firefox oder Safari), eine Kamera und ein Mikrofon. Sie müssen nichts installieren.",
		secret:   "Der Code und der Link sind vertraulich und nur für Sie bestimmt: Wer sie kennt, kann an Ihrer Stelle teilnehmen.",
		qr:       "QR-Code des Links",
		weekdays: [7]string{"Sonntag", "Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag"},
		months: [13]string{"", "Januar", "Februar", "März", "April", "Mai", "Juni",
			"Juli", "August", "September", "Oktober", "November", "Dezember"},
		when:  "%s, %d. %s %d, %02d:%02d Uhr (%s)",
		zones: map[string]string{"CET": "MEZ", "CEST": "MESZ"},
	},
	lang.English: {
		title: "Video consultation",
		heading: map[string]string{
			appointment.Patient: "Invitation to a video consultation",
			appointment.Doctor:  "Video consultation: access for the practice",
		},
		begins:   "Begins",
		until:    "The code works until",
		code:     "Code",
		link:     "Link",
		join:     "How to join: open the link, or open %s and enter the code there.",
		again:    "Until then you can use the code any number of times, for example after an interruption or on another device.",
		needed:   "You need a current browser (Chrome, Edge, Firefox or Safari), a camera and a microphone. There is nothing to install.",
		secret:   "The code and the link are confidential and meant for you alone: whoever knows them can join in your place.",
		qr:       "QR code of the link",
		weekdays: [7]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"},
		months: [13]string{"", "January", "February", "March", "April", "May", "June",
			"July", "August", "September", "October", "November", "December"},
		when: "%s, %d %s %d, %02d:%02d (%s)",
	},
}
