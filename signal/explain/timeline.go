package explain

import (
	"fmt"
	"strings"

	"praxisrelay/signal/appointment"
	"praxisrelay/signal/journal"
)

// Line says what an event is, without its time and seat.
func (l Language) Line(e journal.Event) string {
	line := l.pick(events[string(e.Kind)])
	switch e.Kind {
	case journal.Joined, journal.NotJoined, journal.Resumed, journal.Allocated:
		line = fmt.Sprintf("%s (%s)", line, over(e.Over))
	case journal.Refused:
		line = fmt.Sprintf("%s %d", strings.TrimSpace(e.Method+" "+line), e.Code)
		if meaning, ok := codes[e.Code]; ok {
			line += ", " + l.pick(meaning)
		}
		line += " (" + over(e.Over) + ")"
	case journal.Ended:
		line = fmt.Sprintf("%s (%s)", line, over(e.Over))
	}
	if e.Reason != "" {
		reason := e.Reason
		if words, ok := reasons[e.Reason]; ok {
			reason = l.pick(words)
		}
		line += ": " + reason
	}
	if e.Kind == journal.Ended {
		line += "; " + l.Flow(e.Traffic)
	}
	if e.Unproven {
		line += "; " + l.pick(words{"anybody may have been behind it", "es kann jeder gewesen sein"})
	}
	if e.Address != "" {
		line += "; " + l.pick(words{"from ", "von "}) + e.Address
	}
	if e.Times > 1 {
		line += fmt.Sprintf("; %d %s %s", e.Times, l.pick(words{"times, the last at", "Mal, zuletzt um"}), l.clock(e.Last))
	}
	return line
}

// Allocation says what a live one is.
func (l Language) Allocation(a journal.Allocation) string {
	line := fmt.Sprintf("%s (%s); %s", l.pick(words{"holds a place on the relay", "hat einen Platz auf dem Relay"}), over(a.Over), l.Flow(a.Traffic))
	if a.Address != "" {
		line += "; " + l.pick(words{"from ", "von "}) + a.Address
	}
	return line
}

// Session says how a seat is there.
func (l Language) Session(s journal.Session) string {
	there := l.pick(words{"is there", "ist da"})
	if s.Over == "away" {
		there = l.pick(words{"is away, its seat is kept", "ist weg, der Platz wird freigehalten"})
	} else {
		there += " (" + over(s.Over) + ")"
	}
	if !s.Admitted {
		there += "; " + l.pick(words{"waits", "wartet"})
	}
	return there
}

// Flow says what an allocation carried.
func (l Language) Flow(t journal.Traffic) string {
	text := fmt.Sprintf("%s %s %s, %s %s", l.pick(words{"sent", "gesendet"}),
		size(t.Sent.Media), l.pick(words{"of media", "Medien"}), size(t.Sent.Checks+t.Sent.Answers), l.pick(words{"of set-up", "Aufbau"}))
	if !t.Sent.FirstMedia.IsZero() {
		text += fmt.Sprintf(", %s %s %s %s", l.pick(words{"media from", "Medien von"}), l.clock(t.Sent.FirstMedia),
			l.pick(words{"to", "bis"}), l.clock(t.Sent.LastMedia))
	}
	if t.Received != (journal.Flow{Last: t.Received.Last}) {
		text += fmt.Sprintf("; %s %s", l.pick(words{"got", "empfangen"}), size(t.Received.Media+t.Received.Checks+t.Received.Answers))
	}
	return text
}

// SeatName names a seat in a column.
func (l Language) SeatName(seat string) string {
	switch seat {
	case appointment.Doctor:
		return l.pick(words{"practice", "Praxis"})
	case appointment.Patient:
		return l.pick(words{"patient", "Patientenseite"})
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

type words struct{ english, german string }

func (l Language) pick(w words) string {
	if l == German {
		return w.german
	}
	return w.english
}

var events = map[string]words{
	string(journal.Joined):     {"joined", "hat teilgenommen"},
	string(journal.NotJoined):  {"was not let in with the right code", "kam trotz richtigen Codes nicht hinein"},
	string(journal.Replaced):   {"lost the seat: the code was used elsewhere", "hat den Platz verloren: der Code wurde anderswo benutzt"},
	string(journal.Lost):       {"lost the connection to the page's server", "hat die Verbindung zum Server der Seite verloren"},
	string(journal.Resumed):    {"came back", "ist zurückgekommen"},
	string(journal.Left):       {"is gone", "ist weg"},
	string(journal.Admitted):   {"was let in", "wurde eingelassen"},
	string(journal.Credential): {"was given a credential for the relay", "hat Zugangsdaten für das Relay bekommen"},
	string(journal.Reissued):   {"was given another code", "hat einen neuen Code bekommen"},
	string(journal.Revoked):    {"the appointment was revoked", "der Termin wurde zurückgezogen"},
	string(journal.Allocated):  {"got a place on the relay", "hat einen Platz auf dem Relay bekommen"},
	string(journal.Permitted):  {"may reach the partner, and be reached", "darf die Gegenseite erreichen und erreicht werden"},
	string(journal.Refused):    {"refused with", "abgelehnt mit"},
	string(journal.Ended):      {"no longer has a place on the relay", "hat keinen Platz auf dem Relay mehr"},
}

var reasons = map[string]words{
	journal.HungUp:        {"hung up", "aufgelegt"},
	journal.Away:          {"away for too long", "zu lange weg"},
	journal.Released:      {"given back by the browser", "vom Browser zurückgegeben"},
	journal.Expired:       {"expired", "abgelaufen"},
	journal.StreamLost:    {"its connection was cut", "die Verbindung wurde getrennt"},
	journal.Withdrawn:     {"revoked", "zurückgezogen"},
	journal.WrongPassword: {"wrong password", "falsches Passwort"},
}

// codes are the refusals of the relay, by what they mean.
var codes = map[int]words{
	400: {"a request that is not understood", "eine unverständliche Anfrage"},
	401: {"the credential is not taken", "die Zugangsdaten gelten nicht"},
	403: {"an address outside the appointment, as a browser's own ones are", "eine Adresse außerhalb des Termins, wie es die eigenen des Browsers sind"},
	420: {"an unknown extension", "eine unbekannte Erweiterung"},
	437: {"there is no place on the relay, or one already", "es gibt keinen Platz auf dem Relay, oder schon einen"},
	438: {"the request is old, or from another address", "die Anfrage ist alt, oder von einer anderen Adresse"},
	440: {"a family of addresses that is not there", "eine Adressfamilie, die es nicht gibt"},
	441: {"the place is somebody else's", "der Platz gehört jemand anderem"},
	442: {"a transport that is not served", "ein Transport, den es nicht gibt"},
	443: {"an address of the other family", "eine Adresse der anderen Familie"},
	486: {"too many places of this appointment", "zu viele Plätze dieses Termins"},
	508: {"the appliance has no more to give", "das Relay-System kann nicht mehr vergeben"},
}
