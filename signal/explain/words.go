package explain

import (
	"strconv"
	"strings"
	"time"

	"praxisrelay/config/lang"
	"praxisrelay/signal/appointment"
)

// Sentence describes the likely fault and its remedy in a sentence or two. It names no address and
// no person.
func (v Verdict) Sentence(l lang.Language) string {
	text := sentences[v.Cause][l]
	other := appointment.Doctor
	if v.Seat == appointment.Doctor {
		other = appointment.Patient
	}
	seat, partner := names[l][v.Seat], names[l][other]
	return strings.NewReplacer(
		"{Seat}", capital(seat.name), "{seat}", seat.name, "{Seat's}", capital(seat.of), "{seat's}", seat.of,
		"{Other}", capital(partner.name), "{other}", partner.name, "{other's}", partner.of,
		"{at}", clock(l, v.At), "{code}", strconv.Itoa(v.Code), "{for}", strconv.Itoa(int(v.For/time.Second)),
	).Replace(text)
}

// SideName names a side as it appears after "side:".
func SideName(l lang.Language, s Side) string { return sideNames[l][s] }

var sideNames = map[lang.Language]map[Side]string{
	lang.English: {Patient: "the patient's network or device", Doctor: "the practice's network or device", Appliance: "the appliance", Nobody: "nobody's, as far as is known"},
	lang.German:  {Patient: "Netz oder Gerät der Patientenseite", Doctor: "Netz oder Gerät der Praxis", Appliance: "das Relay-System", Nobody: "auf keiner, soweit bekannt"},
}

// names are the seats' names and their genitives. The German ones are feminine, so the genitive is
// also the dative.
var names = map[lang.Language]map[string]struct{ name, of string }{
	lang.English: {appointment.Patient: {"the patient", "the patient's"}, appointment.Doctor: {"the practice", "the practice's"}},
	lang.German:  {appointment.Patient: {"die Patientenseite", "der Patientenseite"}, appointment.Doctor: {"die Praxis", "der Praxis"}},
}

func capital(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// clock formats a time of day in the practices' time zone.
func clock(l lang.Language, t time.Time) string {
	where, err := appointment.LoadZone(appointment.DefaultZone)
	if err != nil {
		where = time.UTC
	}
	if l == lang.German {
		return t.In(where).Format("15:04 Uhr")
	}
	return t.In(where).Format("15:04")
}

// sentences has one for each cause and language.
var sentences = map[Cause]map[lang.Language]string{
	Healthy: {
		lang.English: "The call works: since {at} media has been flowing through the relay in both directions.",
		lang.German:  "Das Gespräch läuft: Seit {at} fließen Ton und Bild in beiden Richtungen über das Relay.",
	},
	Held: {
		lang.English: "The call took place, and {seat} hung up at {at}.",
		lang.German:  "Das Gespräch hat stattgefunden; {seat} hat um {at} aufgelegt.",
	},
	NotYet: {
		lang.English: "The connection is being made. That takes ten seconds at most.",
		lang.German:  "Die Verbindung wird gerade aufgebaut. Das dauert höchstens zehn Sekunden.",
	},
	Undecided: {
		lang.English: "Both sides reach the relay and know of each other, but no media passes through it. Either they have found a direct way, or the firewall of one drops what comes from the relay: compare both with the page /firewall.",
		lang.German:  "Beide Seiten erreichen das Relay und wissen voneinander, aber Ton und Bild gehen nicht hindurch. Entweder haben sie einen direkten Weg gefunden, oder die Firewall einer Seite verwirft, was vom Relay kommt: Vergleichen Sie beide mit der Seite /firewall.",
	},
	Revoked: {
		lang.English: "The appointment was revoked at {at}. Its codes open nothing any more.",
		lang.German:  "Der Termin wurde um {at} zurückgezogen. Seine Codes öffnen nichts mehr.",
	},
	Test: {
		lang.English: "This is no consultation but a test code, and what is done with one is not remembered. What praxisrelay check printed says how the network is.",
		lang.German:  "Das ist keine Sprechstunde, sondern ein Testcode, und was damit geschieht, wird nicht gemerkt. Wie das Netz ist, sagt die Ausgabe von praxisrelay check.",
	},
	Upcoming: {
		lang.English: "Nobody has tried to join. The appointment opens at {at}.",
		lang.German:  "Niemand hat bisher versucht teilzunehmen. Der Termin beginnt um {at}.",
	},
	Closed: {
		lang.English: "The appointment was over at {at}, and nobody has joined as far as is remembered: the appliance forgets when it is restarted.",
		lang.German:  "Der Termin war um {at} vorbei, und soweit bekannt hat niemand teilgenommen: Bei einem Neustart vergisst das Relay-System alles.",
	},
	NobodyJoined: {
		lang.English: "Nobody has joined with a right code, as far as is remembered: the appliance forgets when it is restarted.",
		lang.German:  "Niemand hat mit einem richtigen Code teilgenommen, soweit bekannt: Bei einem Neustart vergisst das Relay-System alles.",
	},
	NotJoined: {
		lang.English: "{Seat} has not joined yet: no right code has come from there.",
		lang.German:  "{Seat} hat noch nicht teilgenommen: Von dort kam kein richtiger Code.",
	},
	TooEarly: {
		lang.English: "{Seat's} code was used at {at}, before the appointment opens. Join again when it has.",
		lang.German:  "Der Code {seat's} wurde um {at} benutzt, vor Beginn des Termins. Bitte dann noch einmal teilnehmen.",
	},
	TooLate: {
		lang.English: "{Seat's} code was used at {at}, when the appointment was over. Make another appointment.",
		lang.German:  "Der Code {seat's} wurde um {at} benutzt, als der Termin schon vorbei war. Bitte einen neuen Termin anlegen.",
	},
	TooOften: {
		lang.English: "{Seat's} code was used again and again within seconds, until {at}. Wait a moment, and use it on one device only.",
		lang.German:  "Der Code {seat's} wurde bis {at} immer wieder innerhalb von Sekunden benutzt. Bitte kurz warten und ihn nur auf einem Gerät benutzen.",
	},
	SentAway: {
		lang.English: "The appliance sent {seat} away at {at}: it has a fault. See praxisrelay status.",
		lang.German:  "Das Relay-System hat {seat} um {at} abgewiesen: Es hat einen Fehler. Siehe praxisrelay status.",
	},
	OtherDevice: {
		lang.English: "{Seat's} code was used on another device or in another window at {at}, and that ended the first one. Go on there, on one device only.",
		lang.German:  "Der Code {seat's} wurde um {at} auf einem anderen Gerät oder in einem anderen Fenster benutzt, und das hat die erste Teilnahme beendet. Bitte dort fortfahren, nur auf einem Gerät.",
	},
	GivenUp: {
		lang.English: "{Seat} hung up at {at}, before there was a call. The same code opens the consultation again.",
		lang.German:  "{Seat} hat um {at} aufgelegt, bevor ein Gespräch zustande kam. Derselbe Code öffnet die Sprechstunde wieder.",
	},
	Lost: {
		lang.English: "{Seat's} connection to the appliance ended, and at {at} it had not come back: the device is off or asleep, or its network is gone.",
		lang.German:  "Die Verbindung {seat's} zum Relay-System ist abgerissen und war um {at} nicht zurück: Das Gerät ist aus oder im Ruhezustand, oder sein Netz ist weg.",
	},
	CodeReplaced: {
		lang.English: "{Seat} was given another code at {at}, and nobody has joined with that.",
		lang.German:  "{Seat} hat um {at} einen neuen Code bekommen, und mit dem hat noch niemand teilgenommen.",
	},
	NotLetIn: {
		lang.English: "{Seat} has been waiting since {at}. {Other} has to let them in.",
		lang.German:  "{Seat} wartet seit {at}. {Other} muss sie einlassen.",
	},
	Blocked: {
		lang.English: "{Seat's} network lets nothing through to the relay: the page came, but since {at} neither UDP nor TCP nor TLS for media. Its firewall must let out what the page /firewall lists.",
		lang.German:  "Das Netz {seat's} lässt nichts zum Relay durch: Die Seite kam an, aber seit {at} weder UDP noch TCP noch TLS für Ton und Bild. Ihre Firewall muss hinauslassen, was die Seite /firewall auflistet.",
	},
	AllBlocked: {
		lang.English: "Neither side reaches the relay, since {at}. Look at the appliance's own firewall and at what forwards its ports: see praxisrelay firewall.",
		lang.German:  "Seit {at} erreicht keine der beiden Seiten das Relay. Prüfen Sie die Firewall vor dem Relay-System und die Weiterleitung seiner Ports: siehe praxisrelay firewall.",
	},
	OldCredential: {
		lang.English: "{Seat's} device came at {at} with a credential that had expired: it was asleep, or the page was open for hours. Load the page again there.",
		lang.German:  "Das Gerät {seat's} kam um {at} mit abgelaufenen Zugangsdaten: Es war im Ruhezustand, oder die Seite war stundenlang offen. Bitte die Seite dort neu laden.",
	},
	Withdrawn: {
		lang.English: "{Seat's} device came at {at} with a credential that was withdrawn together with its code. Join again, with the newest code.",
		lang.German:  "Das Gerät {seat's} kam um {at} mit Zugangsdaten, die zusammen mit dem Code ungültig wurden. Bitte mit dem neuesten Code noch einmal teilnehmen.",
	},
	WrongPassword: {
		lang.English: "The relay does not take the credential that {seat} has: its secret was changed and the former one is not in relay.secret_files, or another appliance gave it. Load the page again there.",
		lang.German:  "Das Relay nimmt die Zugangsdaten nicht an, die {seat} hat: Sein Geheimnis wurde geändert und das frühere steht nicht mehr in relay.secret_files, oder sie sind von einem anderen Relay-System. Bitte die Seite dort neu laden.",
	},
	StaleNonce: {
		lang.English: "{Seat's} requests come from changing addresses, which the relay must refuse (438): its network sends them over several lines in turn. What goes to the appliance must take one line.",
		lang.German:  "Die Anfragen {seat's} kommen von wechselnden Adressen, was das Relay ablehnen muss (438): Das Netz verteilt sie auf mehrere Anschlüsse. Was zum Relay-System geht, muss denselben Anschluss nehmen.",
	},
	Quota: {
		lang.English: "{Seat} has too many places on the relay at once (486): the consultation is open in too many windows or devices. Close the others.",
		lang.German:  "{Seat} belegt zu viele Plätze auf dem Relay zugleich (486): Die Sprechstunde ist in zu vielen Fenstern oder Geräten offen. Bitte die anderen schließen.",
	},
	Full: {
		lang.English: "The appliance is full (508): all of relay.max_allocations are taken. Wait, or raise the limit.",
		lang.German:  "Das Relay-System ist voll (508): Alle relay.max_allocations Plätze sind belegt. Bitte warten oder die Grenze anheben.",
	},
	NetworkFull: {
		lang.English: "More places on the relay are taken from {seat's} network than the appliance allows to one network (508). For a large site raise relay.max_per_prefix.",
		lang.German:  "Aus dem Netz {seat's} sind mehr Plätze auf dem Relay belegt, als das Relay-System einem Netz zugesteht (508). Für ein großes Haus relay.max_per_prefix anheben.",
	},
	NoPorts: {
		lang.English: "The appliance has no relayed port left (508). Widen relay.ports, in its firewall too.",
		lang.German:  "Das Relay-System hat keinen freien Port mehr (508). relay.ports erweitern, auch in seiner Firewall.",
	},
	Draining: {
		lang.English: "The appliance is in maintenance and lets no call begin. Try again when that is over.",
		lang.German:  "Das Relay-System wird gewartet und lässt kein Gespräch beginnen. Bitte danach wieder versuchen.",
	},
	NoFamily: {
		lang.English: "{Seat's} device wants a relayed address of a family, IPv4 or IPv6, that the appliance does not have (440). Add one to relay.addresses.",
		lang.German:  "Das Gerät {seat's} verlangt eine Relay-Adresse einer Familie, IPv4 oder IPv6, die das Relay-System nicht hat (440). Eine in relay.addresses ergänzen.",
	},
	OtherFamily: {
		lang.English: "One side has an IPv4 and the other an IPv6 address on the relay, and these do not meet (443). Leave one family in relay.addresses.",
		lang.German:  "Eine Seite hat eine IPv4- und die andere eine IPv6-Adresse auf dem Relay, und die passen nicht zusammen (443). In relay.addresses nur eine Familie lassen.",
	},
	Misasked: {
		lang.English: "{Seat's} software asked the relay for something that it has to refuse ({code}), or a proxy changed what it asked for. Try another browser, or a current one.",
		lang.German:  "Die Software {seat's} hat das Relay um etwas gebeten, was es ablehnen muss ({code}), oder ein Proxy hat die Anfrage verändert. Bitte einen anderen oder aktuellen Browser versuchen.",
	},
	IdleCut: {
		lang.English: "{Seat's} network cut the connection to the relay at {at}, after {for} seconds without data: a firewall or proxy there forgets quiet connections. Raise its time-out for the appliance.",
		lang.German:  "Das Netz {seat's} hat die Verbindung zum Relay um {at} getrennt, nach {for} Sekunden ohne Daten: Eine Firewall oder ein Proxy dort vergisst ruhige Verbindungen. Die Zeitgrenze für das Relay-System anheben.",
	},
	Cut: {
		lang.English: "{Seat's} connection to the relay was cut at {at} while it was in use: the network changed, or something on the way ended it. If the page does not come back by itself, load it again.",
		lang.German:  "Die Verbindung {seat's} zum Relay wurde um {at} mitten im Betrieb getrennt: Das Netz hat gewechselt, oder etwas auf dem Weg hat sie beendet. Kommt die Seite nicht von selbst zurück, bitte neu laden.",
	},
	Vanished: {
		lang.English: "Nothing has come from {seat's} device for so long that its place on the relay expired at {at}: it is asleep, or its network is gone.",
		lang.German:  "Vom Gerät {seat's} kam so lange nichts, dass sein Platz auf dem Relay um {at} verfiel: Es ist im Ruhezustand, oder sein Netz ist weg.",
	},
	SessionEnd: {
		lang.English: "{Seat's} place on the relay had lived for relay.max_session at {at}. Load the page again, or raise the limit.",
		lang.German:  "Der Platz {seat's} auf dem Relay war um {at} so alt wie relay.max_session. Bitte die Seite neu laden, oder die Grenze anheben.",
	},
	Released: {
		lang.English: "{Seat's} browser gave its place on the relay back at {at}: it has found a direct way, or has given up.",
		lang.German:  "Der Browser {seat's} hat seinen Platz auf dem Relay um {at} zurückgegeben: Er hat einen direkten Weg gefunden oder aufgegeben.",
	},
	TooManyPeers: {
		lang.English: "{Seat's} device asked the relay for too many addresses at once (508). Load the page again there.",
		lang.German:  "Das Gerät {seat's} hat beim Relay nach zu vielen Adressen zugleich gefragt (508). Bitte die Seite dort neu laden.",
	},
	NoPeer: {
		lang.English: "{Seat} reached the relay at {at}, but never asked for {other}: messages between the pages did not arrive, or the browser takes no relay. Load both pages again.",
		lang.German:  "{Seat} hat das Relay um {at} erreicht, dort aber nie nach der Gegenseite gefragt: Nachrichten zwischen den Seiten kamen nicht an, oder der Browser benutzt kein Relay. Bitte beide Seiten neu laden.",
	},
	Mute: {
		lang.English: "{Seat} reached the relay, and since {at} nothing has come from there: {seat's} firewall lets the set-up through and drops what follows. It must leave UDP to the appliance alone, or block it, so that TLS is used.",
		lang.German:  "{Seat} hat das Relay erreicht, und seit {at} kam von dort nichts mehr: Die Firewall {seat's} lässt den Aufbau durch und verwirft, was folgt. Sie muss UDP zum Relay-System in Ruhe lassen oder ganz sperren, damit TLS genommen wird.",
	},
	Deaf: {
		lang.English: "Packets come from {seat}, but since {at} none that the relay sends arrives there: {seat's} firewall lets them out and not in. It must let in the answers to what it let out.",
		lang.German:  "Von {seat's} kommen Pakete an, aber seit {at} kommt dort keines des Relays an: Die Firewall {seat's} lässt hinaus, aber nicht herein. Sie muss Antworten auf das hereinlassen, was sie hinausließ.",
	},
	OneWay: {
		lang.English: "{Other} has been sending sound and picture since {at}, and none comes from {seat}: camera and microphone are off or not allowed there, or {seat's} network drops large packets.",
		lang.German:  "{Other} sendet seit {at} Ton und Bild, und von {seat's} kommt nichts davon: Kamera und Mikrofon sind dort aus oder nicht erlaubt, oder das Netz {seat's} verwirft große Pakete.",
	},
	Stopped: {
		lang.English: "Since {at} nothing comes from {seat} any more, and {other} still sends: {seat's} network or device has failed or changed.",
		lang.German:  "Seit {at} kommt von {seat's} nichts mehr, während {other} noch sendet: Netz oder Gerät {seat's} ist ausgefallen oder hat gewechselt.",
	},
	Silent: {
		lang.English: "There was a call, and since {at} neither side sends through the relay: they have found a direct way, or both have stopped.",
		lang.German:  "Das Gespräch lief, und seit {at} sendet keine Seite mehr über das Relay: Sie haben einen direkten Weg gefunden, oder beide haben aufgehört.",
	},
}
