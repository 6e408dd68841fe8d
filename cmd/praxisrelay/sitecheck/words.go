package sitecheck

import (
	"praxisrelay/config/lang"
	"praxisrelay/relay/certificate"
	"praxisrelay/relay/check"
)

type checkText = lang.Text

// checkValue is the text for a measured value.
type checkValue struct {
	name string
	checkText
}

// Finding is the text for a finding about a certificate.
func Finding(f certificate.Finding, l lang.Language) string {
	if l == lang.German {
		return checkTexts.findings[f.ID]
	}
	return f.Text
}

var checkTexts = struct {
	works, spare, restricted, fails, unknown, intercepted, untrusted, mute, open, noSocket, noPolling, poor, interrupted checkText

	validity, script checkText

	way, failed, running, openTitle, exemptTitle, certificateTitle checkText

	values   []checkValue // of probes outside the matrix, in the order of the report
	mappings map[string]checkText

	probes  map[string]checkText
	reasons map[check.Reason]checkText

	// findings are the German texts; a finding itself has the English one.
	findings map[string]string
}{
	works: checkText{"Videosprechstunden funktionieren von hier aus in voller Qualität.",
		"Consultations work from here in full quality."},
	spare: checkText{"Gesperrt ist nur, was die Seite nicht benutzt: %s.",
		"What is closed is not used by the page: %s."},
	restricted: checkText{
		"Videosprechstunden funktionieren von hier aus, mit Einschränkungen; Bild und Ton gehen über %s.",
		"Consultations work from here, but not at their best; picture and sound go over %s.",
	},
	fails: checkText{"Videosprechstunden funktionieren von hier aus nicht. %s.",
		"Consultations do not work from here. %s."},
	unknown: checkText{"Ob Videosprechstunden von hier aus funktionieren, ist so nicht zu sagen. %s.",
		"Whether consultations work from here is not known. %s."},
	intercepted: checkText{
		"Die TLS-Verbindung wird unterwegs aufgebrochen; das Zertifikat stammt von %s statt vom " +
			"Server. Nehmen Sie von der TLS-Prüfung aus: %s.",
		"The TLS connection is intercepted on its way; the certificate is from %s instead of the " +
			"appliance. Exempt from TLS inspection: %s.",
	},
	untrusted: checkText{
		"Ist das eine Firewall oder ein Virenschutz, nehmen Sie von der TLS-Prüfung aus: %s. Hat " +
			"der Server sein Zertifikat von dort, nennen Sie das des Ausstellers mit --ca.",
		"If that is a firewall or a virus scanner, exempt from TLS inspection: %s. If the " +
			"appliance has its certificate from there, give the issuer's with --ca.",
	},
	mute: checkText{
		"Es antwortet überhaupt nichts: Prüfen Sie zuerst aus einem anderen Netz, ob der Server läuft.",
		"Nothing answers at all: find out first, from another network, whether the appliance is running.",
	},
	script: checkText{
		"Den Proxy dieses Rechners wählt ein Skript (PAC), das nicht gelesen wird: Nennen Sie ihn " +
			"mit --proxy.",
		"A script (PAC) chooses this computer's proxy, and is not read: give the proxy with --proxy.",
	},
	validity: checkText{"gültig von %s bis %s, die Uhr dieses Rechners zeigt %s",
		"valid from %s to %s, this machine's clock shows %s"},
	open: checkText{"Öffnen Sie in der Firewall: %s.", "Open in the firewall: %s."},
	noSocket: checkText{"WebSockets werden abgewiesen oder abgebrochen; die Seite fragt " +
		"stattdessen wiederholt an. Lassen Sie sie auf %s durch.",
		"WebSockets are refused or cut; the page polls instead. Let them through on %s."},
	noPolling: checkText{"Wartende Anfragen werden abgebrochen; lassen Sie sie auf %s 30 " +
		"Sekunden lang warten.", "Waiting requests are cut: let them wait for 30 seconds on %s."},
	poor: checkText{"Die Leitung ist für ein Bild zu langsam oder verliert zu viel.",
		"The line is too slow for a picture, or loses too much."},
	interrupted: checkText{"Die Prüfung kam nicht zu Ende", "The check did not finish"},

	way:     checkText{"WEG", "WAY"},
	failed:  checkText{"Fehler", "failed"},
	running: checkText{"es läuft:", "running:"},
	openTitle: checkText{"In der Firewall nach außen zu öffnen (praxisrelay firewall):",
		"To open in the firewall, outwards (praxisrelay firewall):"},
	certificateTitle: checkText{"Am Zertifikat des Servers (praxisrelay config check dort sagt mehr):",
		"About the appliance's certificate (praxisrelay config check on the appliance has details):"},
	exemptTitle: checkText{"Von der TLS-Prüfung (Inspektion) auszunehmen:", "To exempt from TLS inspection:"},

	values: []checkValue{
		{"ipv4", checkText{"%v", "%v"}},
		{"ipv6", checkText{"%v", "%v"}},
		{"answer_ms", checkText{"Antwort nach %v ms", "answered after %v ms"}},
		{"seat", checkText{"Platz %v", "seat %v"}},
		{"until", checkText{"gilt bis %v", "valid until %v"}},
		{"expires", checkText{"gelten bis %v", "valid until %v"}},
		{"held_s", checkText{"%v s gehalten", "held for %v s"}},
		{"mapping", checkText{"%v", "%v"}},
		{"mapped", checkText{"von außen %v", "from outside %v"}},
		{"from", checkText{"von %v", "from %v"}},
		{"to", checkText{"zu %v", "to %v"}},
		{"way", checkText{"über %v", "over %v"}},
		{"mbit_per_s", checkText{"%v Mbit/s", "%v Mbit/s"}},
		{"offered_mbit_per_s", checkText{"von %v gesendeten", "of %v sent"}},
		{"rtt_ms", checkText{"Umlaufzeit %v ms", "round trip %v ms"}},
		{"jitter_ms", checkText{"Schwankung %v ms", "jitter %v ms"}},
		{"loss_percent", checkText{"Verlust %v %%", "loss %v %%"}},
	},
	mappings: map[string]checkText{
		check.NoNAT:               {"keines", "none"},
		check.EndpointIndependent: {"bildet für jedes Ziel gleich ab", "maps the same for every destination"},
		check.AddressDependent: {"bildet für jede Zieladresse anders ab",
			"maps differently for every address"},
		check.EndpointDependent: {"bildet für jedes Ziel anders ab (symmetrisch)",
			"maps differently for every destination (symmetric)"},
		check.SamePorts: {"bildet für zwei Ports gleich ab", "maps the same for two ports"},
	},

	probes: map[string]checkText{
		"dns":        {"Name (DNS)", "name (DNS)"},
		"connect":    {"Verbindung", "connection"},
		"tls":        {"TLS", "TLS"},
		"own":        {"eigenes Zertifikat", "own certificate"},
		"relay":      {"Vermittlung", "relay"},
		"http":       {"Seite (HTTPS)", "page (HTTPS)"},
		"code":       {"Code", "code"},
		"credential": {"Zugangsdaten", "credential"},
		"websocket":  {"WebSocket", "WebSocket"},
		"polling":    {"wartende Anfragen", "long polling"},
		"nat":        {"NAT", "NAT"},
		"ice":        {"ICE", "ICE"},
		"quality":    {"Leitung", "line"},
	},
	reasons: map[check.Reason]checkText{
		check.Dependent:    {"nicht versucht", "not tried"},
		check.NoAddress:    {"der Name hat hier keine Adresse", "the name has no address here"},
		check.Silence:      {"keine Antwort", "no answer"},
		check.Refused:      {"abgewiesen", "refused"},
		check.Unreachable:  {"kein Weg dorthin", "no route"},
		check.ProxyRefused: {"der Proxy verbindet nicht dorthin", "the proxy refuses to connect there"},
		check.ProxyAuth: {"der Proxy verlangt eine Anmeldung",
			"the proxy requires a user name and password"},
		check.ProxyDown: {"der Proxy ist nicht zu erreichen", "the proxy cannot be reached"},
		check.Cut:       {"unterwegs abgebrochen", "cut on the way"},
		check.NoTLS:     {"etwas anderes als TLS antwortet", "something other than TLS answers"},
		check.Untrusted: {"dieser Rechner traut dem Aussteller des Zertifikats nicht",
			"this machine does not trust the certificate's issuer"},
		check.WrongName: {"das Zertifikat ist für einen anderen Namen",
			"the certificate is for another name"},
		check.Expired: {"das Zertifikat ist abgelaufen, oder die Uhr geht falsch",
			"the certificate has expired, or the clock is wrong"},
		check.Unusable: {"kein Browser nimmt das Zertifikat an", "no browser accepts the certificate"},
		check.Intercepted: {"nicht das Zertifikat des Servers: TLS wird aufgebrochen",
			"not the appliance's: TLS is intercepted"},
		check.NoReference: {"ohne Vergleich", "nothing to compare with"},
		check.NotAppliance: {"etwas anderes als der Server antwortet",
			"something other than the appliance answers"},
		check.CodeRefused: {"der Code wird nicht angenommen", "the code is not accepted"},
		check.NotAdmitted: {"der Platz wartet auf den Arzt; nehmen Sie einen Testcode",
			"the seat is waiting for the doctor: use a test code"},
		check.NoUpgrade:    {"nicht durchgelassen", "not let through"},
		check.RelayRefused: {"vom Server abgelehnt", "refused by the relay"},
		check.NoEcho:       {"kein Paket kommt zurück", "no packet comes back"},
		check.NoICE:        {"keine Verbindung", "no connection"},
		check.Poor:         {"zu langsam oder zu verlustreich", "too slow or too lossy"},
		check.Other:        {"Fehler", "error"},
	},

	findings: map[string]string{
		"name":      "Es gilt nicht für diesen Namen: Der Server braucht eines, das ihn als alternativen Namen (SAN) enthält.",
		"ended":     "Es ist abgelaufen: Erneuern Sie es auf dem Server.",
		"not-begun": "Es gilt noch nicht, oder die Uhr dieses Rechners geht nach.",
		"key": "Sein Schlüssel ist von einer Art, die kein Browser annimmt: Nötig ist " +
			"ECDSA auf P-256 oder RSA mit 2048 Bit.",
		"curve": "Sein Schlüssel liegt auf der Kurve P-521, Chrome und Edge lehnen es ab: " +
			"Nötig ist ECDSA auf P-256 oder RSA mit 2048 Bit.",
		"short-key": "Ein RSA-Schlüssel der Kette hat weniger als 2048 Bit, iPhones, iPads und " +
			"Safari lehnen das ab: Lassen Sie es mit einem längeren ausstellen.",
		"usage": "Unter den erweiterten Schlüsselverwendungen fehlt serverAuth, Browser " +
			"oder Geräte von Apple lehnen es ab: Lassen Sie eines für Server ausstellen.",
		"key-usage": "Unter den Schlüsselverwendungen fehlt digitalSignature, Chrome und Edge " +
			"lehnen es ab: Lassen Sie eines damit ausstellen.",
		"authority": "Es ist das einer Zertifizierungsstelle (CA), Firefox lehnt es ab: Lassen " +
			"Sie eines für einen Server ausstellen.",
		"lifetime": "Es gilt mehr als 825 Tage, iPhones, iPads und Safari lehnen das ab, auch " +
			"von einer eigenen Stelle: Lassen Sie eines mit kürzerer Laufzeit ausstellen.",
		"must-staple": "Es verlangt OCSP-Stapling (must-staple), das der Server nicht kann, " +
			"Firefox lehnt es ab: Lassen Sie eines ohne ausstellen.",
		"self-signed": "Es beglaubigt sich selbst: Browser warnen vor der Seite und lehnen TURN " +
			"über TLS ab; nötig ist eines von einer Stelle, die sie kennen.",
		"signature": "In der Kette steht eine Signatur, die Browser ablehnen (etwa SHA-1 oder " +
			"Ed25519): Nötig ist RSA oder ECDSA mit SHA-256.",
		"chain": "Ein Zertifikat der Kette gilt nicht oder nicht mehr: Legen Sie auf dem " +
			"Server die Kette ab, die mit dem Zertifikat kam.",
		"misfit": "Ein Zwischenzertifikat der Kette passt nicht zum Zertifikat: Legen Sie auf " +
			"dem Server die Kette ab, die mit ihm kam.",
		"incomplete": "Die Kette endet bei einem Aussteller, den dieser Rechner nicht kennt: Auf " +
			"dem Server fehlt in der Datei das Zwischenzertifikat.",
		"unknown": "Dieser Rechner kennt die Zertifizierungsstelle nicht: Alle Geräte der Teilnehmer müssen sie kennen.",
	},
}
