package firewall

import (
	"strings"

	"praxisrelay/config/lang"
)

// text is short here, since most of this file is made of them.
type text = lang.Text

// label returns a text with an upper-case first letter, to begin a line.
func label(t text, l lang.Language) string {
	s := t.In(l)
	return strings.ToUpper(s[:1]) + s[1:]
}

func (p Party) in(l lang.Language) string { return texts.Parties[p].In(l) }
func (n Need) in(l lang.Language) string  { return texts.Needs[n].In(l) }

// texts has every text once.
var texts = struct {
	Titled, AsOf, Arrow, Page, Back text

	Titles, Intros map[Table]text
	Parties        map[Party]text
	Needs          map[Need]text

	Table, ID, Source, SourceAddresses, Destination, DestinationAddresses              text
	Protocol, Port, SourcePort, Initiator, TLS, Purpose, Need, Exempt, Idle, Forwarded text

	Yes, No, None, Seconds text

	PurposeHTTPS, PurposeUDP, PurposeUDP443, PurposeTCP, PurposeOther                      text
	PurposeRelayed, PurposeHTTP, PurposeHTTPACME, PurposeAdmin, PurposeMetrics, PurposeSSH text
	PurposeDNS, PurposeDNSTCP, PurposeNTP, PurposeACME, PurposeSTUN, PurposeRelayedOut     text
	PurposeSelf                                                                            text
	Alone, Best, UDP443, WithTCP, Without, Others, Unusual, NotNeeded, Direct              text
	Key, KeyUse                                                                            text
	IngressAlone, IngressPaired, IngressOpen, IngressNAT, SSH                              text
	ACMEBoth, ACMETLS, ACMEHTTP, ACMENeither                                               text
	EgressPaired, EgressOpen, EgressSystem                                                 text

	RuleSet, NFTables, IPTables, Firewalld, NotInService, UFW, UFWPublic, UFWManagement, UFWEgress text
}{
	Titled: text{"Firewall-Freigaben für %s", "Firewall rules for %s"},
	AsOf:   text{"Stand", "as of"},
	Arrow:  text{"Was links vom Pfeil steht, baut die Verbindung auf; Antworten kommen auf ihr zurück.", "The side left of the arrow opens the connection; answers come back on it."},
	Page: text{
		"Diese Seite ist für die IT-Abteilung: Sie nennt, was die Firewall einer Praxis, einer Klinik oder eines Gastnetzes nach außen erlauben muss, damit Videosprechstunden über diesen Server gelingen.",
		"This page is for IT staff: it lists what the firewall of a practice, a hospital or a guest network must let out for video consultations through this server.",
	},
	Back: text{"Zur Videosprechstunde", "To the consultation"},

	Titles: map[Table]text{
		ClientEgress:     {"Ausgehend bei den Teilnehmern", "Outgoing, from the participants"},
		ApplianceIngress: {"Eingehend am Server", "Incoming at the server"},
		ApplianceEgress:  {"Ausgehend vom Server", "Outgoing from the server"},
	},
	Intros: map[Table]text{
		ClientEgress: {"Für die Firewall von Praxen, Kliniken und Gastnetzen.",
			"For the firewalls of practices, hospitals and guest networks."},
		ApplianceIngress: {"Für die Firewall vor dem Server und die auf ihm.",
			"For the firewall in front of the server and the one on it."},
		ApplianceEgress: {"Was der Server von sich aus anspricht.",
			"Connections that the server itself opens."},
	},
	Parties: map[Party]text{
		Clients:    {"Geräte der Teilnehmer", "participants' devices"},
		Anyone:     {"beliebig", "anyone"},
		Appliance:  {"Server", "server"},
		Management: {"Verwaltungsnetz", "management network"},
		Resolvers:  {"DNS-Server des Netzes", "the network's DNS servers"},
		Clocks:     {"Zeitserver des Netzes", "the network's time servers"},
		Authority:  {"Zertifizierungsstelle", "certificate authority"},
		STUNServer: {"STUN-Server", "STUN server"},
		Peers:      {"beliebige öffentliche Gegenstellen", "any public peers"},
	},
	Needs: map[Need]text{
		Required:    {"erforderlich", "required"},
		Recommended: {"empfohlen", "recommended"},
		Fallback:    {"Ausweichweg", "fallback"},
		Optional:    {"freiwillig", "optional"},
	},

	Table:                text{"Tabelle", "table"},
	ID:                   text{"Kennung", "id"},
	Source:               text{"Quelle", "source"},
	Destination:          text{"Ziel", "destination"},
	SourceAddresses:      text{"Quelladressen", "source addresses"},
	DestinationAddresses: text{"Zieladressen", "destination addresses"},
	Protocol:             text{"Protokoll", "protocol"},
	Port:                 text{"Zielport", "port"},
	SourcePort:           text{"Quellport", "source port"},
	Initiator:            text{"baut auf", "initiated by"},
	TLS:                  text{"TLS", "TLS"},
	Purpose:              text{"Zweck", "purpose"},
	Need:                 text{"Bedarf", "need"},
	Exempt:               text{"von TLS-Prüfung ausnehmen", "exempt from TLS inspection"},
	Idle:                 text{"Leerlaufzeit mindestens", "idle time-out at least"},
	Forwarded:            text{"weitergeleitet von", "forwarded from"},

	Yes:     text{"ja", "yes"},
	No:      text{"nein", "no"},
	None:    text{"-", "-"},
	Seconds: text{"%d s", "%d s"},

	PurposeHTTPS: text{
		"Seite, Signalisierung (HTTPS, WebSocket) und, wo sonst nichts offen ist, Bild und Ton (TURN über TLS)",
		"page, signaling (HTTPS, WebSocket) and, if nothing else is open, picture and sound (TURN over TLS)",
	},
	PurposeUDP: text{"Bild und Ton in bester Qualität (TURN über UDP)",
		"picture and sound at their best quality (TURN over UDP)"},
	PurposeUDP443: text{"Bild und Ton in bester Qualität, wo ein Netz UDP nur für HTTP/3 nach außen lässt (TURN über UDP)", "picture and sound at their best quality, where a network lets UDP out only for HTTP/3 (TURN over UDP)"},
	PurposeTCP: text{"Bild und Ton, wo UDP gesperrt ist (TURN über TCP)",
		"picture and sound where UDP is blocked (TURN over TCP)"},
	PurposeOther: text{"andere Programme und Verbindungstests; die Seite benutzt es nicht",
		"other programs and connection tests; the page does not use it"},

	PurposeRelayed: text{"Bild und Ton von Gegenstellen, die nicht über diesen Server kommen",
		"picture and sound from peers that do not come through this server"},
	PurposeHTTP:     text{"leitet auf HTTPS um", "redirects to HTTPS"},
	PurposeHTTPACME: text{"Prüfung des Namens durch die Zertifizierungsstelle (HTTP-01); leitet sonst auf HTTPS um", "the certificate authority's check of the name (HTTP-01); otherwise redirects to HTTPS"},
	PurposeAdmin: text{"Verwaltungsschnittstelle für Praxissoftware",
		"admin API for the practice's software"},
	PurposeMetrics: text{"Überwachung (Prometheus, Zustand)", "monitoring (Prometheus, health)"},
	PurposeSSH: text{"Verwaltung des Servers über SSH, falls benutzt",
		"administration of the server over SSH, if used"},

	PurposeDNS:    text{"Namensauflösung", "name resolution"},
	PurposeDNSTCP: text{"Namensauflösung, lange Antworten", "name resolution, long answers"},
	PurposeNTP: text{"Uhrzeit: Codes, Zugangsdaten und Zertifikate gelten nach der Uhr",
		"the time, on which codes, credentials and certificates depend"},
	PurposeACME: text{"Zertifikat beziehen und erneuern (ACME)",
		"issuing and renewing the certificate (ACME)"},
	PurposeSTUN: text{"fragt beim Start nach der öffentlichen Adresse",
		"asks for the public address at start"},
	PurposeSelf: text{"Probeanrufe des Servers bei sich selbst, über seinen öffentlichen Namen",
		"the server's calls to itself, through its public name"},
	PurposeRelayedOut: text{"Bild und Ton zu Gegenstellen, die nicht über diesen Server kommen",
		"picture and sound to peers that do not come through this server"},

	Alone: text{
		"Mit %[1]s allein geht alles. Auf verlustreichen Leitungen kann das Bild stocken, weil Verlorenes alles Spätere aufhält.",
		"With only %[1]s everything works. Video may stutter on lossy lines, since lost data holds up everything after it.",
	},
	Best: text{
		"Mit %[1]s und %[2]s ist die Qualität am besten; mehr braucht die Seite nicht.",
		"With %[1]s and %[2]s the quality is best; the page needs nothing more.",
	},
	UDP443: text{
		"Wo %[1]s nicht geöffnet werden kann, leistet 443/UDP dasselbe; manche Netze lassen es für HTTP/3 schon hinaus.",
		"If %[1]s cannot be opened, 443/UDP does the same; some networks already let it out for HTTP/3.",
	},
	WithTCP: text{
		"Mit %[1]s und %[2]s, ohne UDP, ist die Qualität wie mit %[1]s allein. Der zweite Weg hilft, wo die TLS-Prüfung den ersten für Bild und Ton unbrauchbar macht.",
		"With %[1]s and %[2]s, without UDP, the quality is the same as with only %[1]s. The second way helps if TLS inspection makes the first unusable for picture and sound.",
	},
	Without: text{
		"Ohne %[1]s geht nichts: Dort sind die Seite und die Signalisierung.",
		"Without %[1]s nothing works: it carries the page and signaling.",
	},
	Others: text{
		"Was freiwillig ist, dient anderen Programmen und Verbindungstests; für Videosprechstunden im Browser kann es geschlossen bleiben.",
		"Optional rows serve other programs and connection tests; for consultations in a browser they can stay closed.",
	},
	Unusual: text{
		"Viele Netze lassen nur 443/TCP nach außen: %[1]s wird dort gesperrt sein.",
		"Many networks let out only 443/TCP: %[1]s will be closed there.",
	},
	NotNeeded: text{
		"Nicht nötig sind eingehende Regeln, Portweiterleitungen, UPnP, Portbereiche und STUN-Server Dritter: Alle Verbindungen werden von innen aufgebaut, Antworten kommen auf ihnen zurück.",
		"Incoming rules, port forwarding, UPnP, port ranges and third-party STUN servers are not needed: all connections are opened from inside, and answers come back on them.",
	},
	Direct: text{
		"Browser versuchen auch einen direkten Weg zum anderen Teilnehmer. Verbietet die Firewall ihn, trägt der Server das Gespräch; zu öffnen ist dafür nichts.",
		"Browsers also try a direct path to the other participant. If the firewall blocks it, the server carries the call; nothing has to be opened for that.",
	},

	Key: text{
		"Der Schlüssel des Servers: SHA-256 %[1]s. Sein Zertifikat endet am %[2]s, das nächste kann einen anderen haben.",
		"The server's key: SHA-256 %[1]s. Its certificate expires on %[2]s; the next one may have another key.",
	},
	KeyUse: text{
		"Ob unterwegs TLS aufgebrochen wird, sagt praxisrelay check %[1]s --fingerprint mit diesem Wert. Er muss auf einem anderen Weg gekommen sein, auf Papier oder durch ein anderes Netz.",
		"Use praxisrelay check %[1]s --fingerprint with this value to find out whether TLS is broken open on the way. The value must reach you another way, on paper or through another network.",
	},

	IngressAlone: text{
		"Mit %[1]s allein geht alles; jede weitere Freigabe hilft denen, deren eigene Firewall sie hinauslässt.",
		"With only %[1]s everything works; each further row helps those whose own firewall lets it out.",
	},
	IngressPaired: text{
		"Einen Portbereich braucht der Server nicht: Er vermittelt nur zwischen Teilnehmern, die ihre Verbindung selbst aufgebaut haben.",
		"The server needs no port range: it relays only between participants who opened their connections themselves.",
	},
	IngressOpen: text{
		"Weil relay.peers: open gilt, braucht der Server %[1]s in beiden Richtungen. Mit relay.peers: paired entfällt das.",
		"Since relay.peers is open, the server needs %[1]s in both directions. With relay.peers: paired it does not.",
	},
	IngressNAT: text{
		"Vor dem Server steht ein NAT: Es leitet jeden Port, bei dem eine öffentliche Adresse steht, auf denselben Port des Servers weiter, UDP und TCP, und lässt die Absenderadresse, wie sie ist.",
		"A NAT is in front of the server: it forwards each port that is listed with a public address to the same port of the server, UDP and TCP, and leaves the sender's address unchanged.",
	},
	ACMEBoth: text{
		"Die Zertifizierungsstelle prüft den Namen über 443/TCP (TLS-ALPN-01) oder 80/TCP (HTTP-01) von Adressen aus, die sie nicht nennt: Zu einem von beiden muss jeder hinkommen.",
		"The certificate authority checks the name over 443/TCP (TLS-ALPN-01) or 80/TCP (HTTP-01) from addresses that it does not publish: anyone must be able to reach one of them.",
	},
	ACMETLS: text{
		"Die Zertifizierungsstelle prüft den Namen über 443/TCP (TLS-ALPN-01) von Adressen aus, die sie nicht nennt: Dort muss jeder hinkommen.",
		"The certificate authority checks the name over 443/TCP (TLS-ALPN-01) from addresses that it does not publish: anyone must be able to reach it.",
	},
	ACMEHTTP: text{
		"Die Zertifizierungsstelle prüft den Namen über 80/TCP (HTTP-01) von Adressen aus, die sie nicht nennt: Dort muss jeder hinkommen.",
		"The certificate authority checks the name over 80/TCP (HTTP-01) from addresses that it does not publish: anyone must be able to reach it.",
	},
	ACMENeither: text{
		"Die Zertifizierungsstelle prüft den Namen nur über 443/TCP oder 80/TCP, und auf beiden lauscht der Server nicht: Leiten Sie 443 auf listen.https oder 80 auf listen.http weiter.",
		"The certificate authority checks the name only over 443/TCP or 80/TCP, and the server listens on neither: forward 443 to listen.https or 80 to listen.http.",
	},
	SSH: text{
		"Was aus dem Verwaltungsnetz kommt, gehört nicht ins Internet.",
		"Rows for the management network must not be open to the internet.",
	},

	EgressPaired: text{
		"Sonst geht nichts hinaus: Der Server baut keine Verbindung zu Teilnehmern auf, sondern antwortet auf deren Verbindungen.",
		"Nothing else goes out: the server opens no connections to participants but answers on theirs.",
	},
	EgressOpen: text{
		"Weil relay.peers: open gilt, sendet der Server von %[1]s an öffentliche Gegenstellen. Teilnehmern antwortet er auf deren Verbindungen.",
		"Since relay.peers is open, the server sends from %[1]s to public peers. It answers participants on their connections.",
	},
	EgressSystem: text{
		"Was das Betriebssystem für sich braucht, etwa Aktualisierungen, steht hier nicht.",
		"What the operating system needs for itself, such as updates, is not listed here.",
	},

	RuleSet: text{
		"Alles, was hier nicht steht, wird verworfen, in beiden Richtungen. Tragen Sie vor dem Laden ein,\nwas der Server sonst braucht: Aktualisierungen, Sicherung, Überwachung, eine andere Verwaltung als SSH.",
		"Everything not listed is dropped, in both directions. Before you load this, add what else the server\nneeds: updates, backups, monitoring, administration other than SSH.",
	},
	NFTables: text{
		"Laden: nft -f DATEI. Entfernen: nft delete table inet praxisrelay. Andere Tabellen bleiben, wie sie sind.",
		"To load: nft -f FILE. To remove: nft delete table inet praxisrelay. Other tables stay as they are.",
	},
	IPTables: text{
		`Laden, beide Familien; alle anderen Regeln bleiben, wie sie sind:
  for f in iptables ip6tables; do
    $f-restore --noflush < DATEI
    $f -C INPUT -j PRAXISRELAY-IN 2>/dev/null || $f -I INPUT -j PRAXISRELAY-IN
    $f -C OUTPUT -j PRAXISRELAY-OUT 2>/dev/null || $f -I OUTPUT -j PRAXISRELAY-OUT
  done`,
		`To load, for both families; all other rules stay as they are:
  for f in iptables ip6tables; do
    $f-restore --noflush < FILE
    $f -C INPUT -j PRAXISRELAY-IN 2>/dev/null || $f -I INPUT -j PRAXISRELAY-IN
    $f -C OUTPUT -j PRAXISRELAY-OUT 2>/dev/null || $f -I OUTPUT -j PRAXISRELAY-OUT
  done`,
	},
	Firewalld: text{
		"Videosprechstunden: Seite, Signalisierung und Relay. Ablegen als /etc/firewalld/services/praxisrelay.xml, dann firewall-cmd mit den Optionen reload, permanent und add-service=praxisrelay.",
		"Video consultations: page, signaling and relay. Put it into /etc/firewalld/services/praxisrelay.xml, then use firewall-cmd with its options reload, permanent and add-service=praxisrelay.",
	},
	NotInService: text{
		"Nicht Teil des Dienstes, weil nur für das Verwaltungsnetz oder ausgehend:",
		"Not part of the service, because only for the management network or outgoing:",
	},
	UFW: text{
		"Ablegen als /etc/ufw/applications.d/praxisrelay, dann: ufw allow praxisrelay\nund: ufw allow from VERWALTUNGSNETZ to any app praxisrelay-management",
		"Put it into /etc/ufw/applications.d/praxisrelay, then: ufw allow praxisrelay\nand: ufw allow from MANAGEMENT-NETWORK to any app praxisrelay-management",
	},
	UFWPublic: text{"Was jeder erreichen darf: Seite, Signalisierung, Relay",
		"What anyone may reach: page, signaling, relay"},
	UFWManagement: text{"Nur aus dem Verwaltungsnetz", "Only from the management network"},
	UFWEgress: text{
		"Ausgehend, wo ufw auch das sperrt (ufw default deny outgoing):",
		"Outgoing, if ufw blocks that too (ufw default deny outgoing):",
	},
}
