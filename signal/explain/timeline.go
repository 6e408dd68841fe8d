package explain

import (
	"fmt"
	"strings"

	"praxisrelay/config/lang"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/journal"
)

// Line describes an event, without its time and seat.
func Line(l lang.Language, e journal.Event) string {
	line := events[string(e.Kind)].In(l)
	switch e.Kind {
	case journal.Joined, journal.NotJoined, journal.Resumed, journal.Allocated:
		line = fmt.Sprintf("%s (%s)", line, over(e.Over))
	case journal.Refused:
		line = fmt.Sprintf("%s %d", strings.TrimSpace(e.Method+" "+line), e.Code)
		if meaning, ok := codes[e.Code]; ok {
			line += ", " + meaning.In(l)
		}
		line += " (" + over(e.Over) + ")"
	case journal.Ended:
		line = fmt.Sprintf("%s (%s)", line, over(e.Over))
	}
	if e.Reason != "" {
		reason := e.Reason
		if text, ok := reasons[e.Reason]; ok {
			reason = text.In(l)
		}
		line += ": " + reason
	}
	if e.Kind == journal.Ended {
		line += "; " + Flow(l, e.Traffic)
	}
	if e.Unproven {
		line += "; " + lang.Text{"es kann jeder gewesen sein", "anybody may have been behind it"}.In(l)
	}
	if e.Address != "" {
		line += "; " + lang.Text{"von ", "from "}.In(l) + e.Address
	}
	if e.Times > 1 {
		line += fmt.Sprintf("; %d %s %s", e.Times, lang.Text{"Mal, zuletzt um", "times, the last at"}.In(l), clock(l, e.Last))
	}
	return line
}

// Allocation describes a live allocation.
func Allocation(l lang.Language, a journal.Allocation) string {
	line := fmt.Sprintf("%s (%s); %s", lang.Text{"hat einen Platz auf dem Relay", "holds a place on the relay"}.In(l), over(a.Over), Flow(l, a.Traffic))
	if a.Address != "" {
		line += "; " + lang.Text{"von ", "from "}.In(l) + a.Address
	}
	return line
}

// Session describes a seat's live session.
func Session(l lang.Language, s journal.Session) string {
	there := lang.Text{"ist da", "is there"}.In(l)
	if s.Over == "away" {
		there = lang.Text{"ist weg, der Platz wird freigehalten", "is away, its seat is kept"}.In(l)
	} else {
		there += " (" + over(s.Over) + ")"
	}
	if !s.Admitted {
		there += "; " + lang.Text{"wartet", "waits"}.In(l)
	}
	return there
}

// Flow describes the traffic of an allocation.
func Flow(l lang.Language, t journal.Traffic) string {
	text := fmt.Sprintf("%s %s %s, %s %s", lang.Text{"gesendet", "sent"}.In(l),
		size(t.Sent.Media), lang.Text{"Medien", "of media"}.In(l), size(t.Sent.Checks+t.Sent.Answers), lang.Text{"Aufbau", "of set-up"}.In(l))
	if !t.Sent.FirstMedia.IsZero() {
		text += fmt.Sprintf(", %s %s %s %s", lang.Text{"Medien von", "media from"}.In(l), clock(l, t.Sent.FirstMedia),
			lang.Text{"bis", "to"}.In(l), clock(l, t.Sent.LastMedia))
	}
	if t.Received != (journal.Flow{Last: t.Received.Last}) {
		text += fmt.Sprintf("; %s %s", lang.Text{"empfangen", "got"}.In(l), size(t.Received.Media+t.Received.Checks+t.Received.Answers))
	}
	return text
}

// SeatName names a seat for a column.
func SeatName(l lang.Language, seat string) string {
	switch seat {
	case appointment.Doctor:
		return lang.Text{"Praxis", "practice"}.In(l)
	case appointment.Patient:
		return lang.Text{"Patientenseite", "patient"}.In(l)
	}
	return ""
}

func size(bytes uint64) string {
	switch {
	case bytes < 1000:
		return fmt.Sprintf("%d B", bytes)
	case bytes < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(bytes)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
}

// over names a transport.
func over(transport string) string {
	if name, ok := transports[transport]; ok {
		return name
	}
	return transport
}

var transports = map[string]string{"socket": "WebSocket", "poll": "long polling", "udp": "UDP", "tcp": "TCP", "tls": "TLS"}

var events = map[string]lang.Text{
	string(journal.Joined):     {"hat teilgenommen", "joined"},
	string(journal.NotJoined):  {"kam trotz richtigen Codes nicht hinein", "was not let in with the right code"},
	string(journal.Replaced):   {"hat den Platz verloren: der Code wurde anderswo benutzt", "lost the seat: the code was used elsewhere"},
	string(journal.Lost):       {"hat die Verbindung zum Server der Seite verloren", "lost the connection to the page's server"},
	string(journal.Resumed):    {"ist zurückgekommen", "came back"},
	string(journal.Left):       {"ist weg", "is gone"},
	string(journal.Admitted):   {"wurde eingelassen", "was let in"},
	string(journal.Credential): {"hat Zugangsdaten für das Relay bekommen", "was given a credential for the relay"},
	string(journal.Reissued):   {"hat einen neuen Code bekommen", "was given another code"},
	string(journal.Revoked):    {"der Termin wurde zurückgezogen", "the appointment was revoked"},
	string(journal.Allocated):  {"hat einen Platz auf dem Relay bekommen", "got a place on the relay"},
	string(journal.Permitted):  {"darf die Gegenseite erreichen und erreicht werden", "may reach the partner, and be reached"},
	string(journal.Refused):    {"abgelehnt mit", "refused with"},
	string(journal.Ended):      {"hat keinen Platz auf dem Relay mehr", "no longer has a place on the relay"},
}

var reasons = map[string]lang.Text{
	journal.HungUp:        {"aufgelegt", "hung up"},
	journal.Away:          {"zu lange weg", "away for too long"},
	journal.Released:      {"vom Browser zurückgegeben", "given back by the browser"},
	journal.Expired:       {"abgelaufen", "expired"},
	journal.StreamLost:    {"die Verbindung wurde getrennt", "its connection was cut"},
	journal.Withdrawn:     {"zurückgezogen", "revoked"},
	journal.WrongPassword: {"falsches Passwort", "wrong password"},
}

// codes describes the relay's refusals by their meaning.
var codes = map[int]lang.Text{
	400: {"eine unverständliche Anfrage", "a request that is not understood"},
	401: {"die Zugangsdaten gelten nicht", "the credential is not taken"},
	403: {"eine Adresse außerhalb des Termins, wie es die eigenen des Browsers sind", "an address outside the appointment, as a browser's own ones are"},
	420: {"eine unbekannte Erweiterung", "an unknown extension"},
	437: {"es gibt keinen Platz auf dem Relay, oder schon einen", "there is no place on the relay, or one already"},
	438: {"die Anfrage ist alt, oder von einer anderen Adresse", "the request is old, or from another address"},
	440: {"eine Adressfamilie, die es nicht gibt", "a family of addresses that is not there"},
	441: {"der Platz gehört jemand anderem", "the place is somebody else's"},
	442: {"ein Transport, den es nicht gibt", "a transport that is not served"},
	443: {"eine Adresse der anderen Familie", "an address of the other family"},
	486: {"zu viele Plätze dieses Termins", "too many places of this appointment"},
	508: {"das Relay-System kann nicht mehr vergeben", "the appliance has no more to give"},
}
