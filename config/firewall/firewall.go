// Package firewall says what firewalls must let through for an appliance, and writes
// it for those who open it: as tables, as a page, and as rule sets.
//
// There are three tables, by who asks for what: what clients need to send out from
// where they are, what the appliance must receive, and what it sends out itself.
// Every row has an id that stays when other parts of the configuration change, so that
// change requests, rule sets and error reports can name it.
//
// Nothing is listed that is not used. In particular nothing comes in at the clients'
// side, and the paired relay has no range of ports: it forwards between clients that
// opened their connections themselves.
package firewall

import (
	"net/netip"
	"time"

	"praxisrelay/config"
)

// Table is whose firewall a row is for, and in which direction.
type Table string

// The tables.
const (
	ClientEgress     Table = "client-egress"
	ApplianceIngress Table = "appliance-ingress"
	ApplianceEgress  Table = "appliance-egress"
)

// Tables are all tables, in their order.
var Tables = []Table{ClientEgress, ApplianceIngress, ApplianceEgress}

// Need is what becomes of consultations where a row stays closed.
type Need string

// The needs.
const (
	Required    Need = "required"    // nothing works
	Recommended Need = "recommended" // the quality is worse
	Fallback    Need = "fallback"    // one way less where others are blocked
	Optional    Need = "optional"    // consultations do not miss it
)

// Party is who stands at an end of a row.
type Party string

// The parties.
const (
	Clients    Party = "clients"
	Anyone     Party = "anyone"
	Appliance  Party = "appliance"
	Management Party = "management"
	Resolvers  Party = "resolvers"
	Clocks     Party = "time-servers"
	Authority  Party = "certificate-authority"
	STUNServer Party = "stun-server"
	Peers      Party = "peers"
)

// Endpoint is one end of a row.
type Endpoint struct {
	Party Party
	// Name is its DNS name or address, where it is known.
	Name string
	// Addresses are what it has; empty: any, or not known here.
	Addresses []netip.Addr
	// Networks bound it; empty: any.
	Networks []netip.Prefix
}

// Row is one thing to let through. Whoever is the source opens the connection;
// answers go back on it.
type Row struct {
	ID          string
	Table       Table
	Need        Need
	Source      Endpoint
	Destination Endpoint
	Protocol    string       // tcp or udp
	Ports       config.Ports // at the destination
	SourcePorts config.Ports // at the source; zero: any
	TLS         bool
	// Exempt asks to leave the row out of TLS inspection.
	Exempt bool
	// Idle is how long a firewall must remember what is silent, at least. 0: no
	// matter.
	Idle time.Duration
	// Forwarded are the public addresses whose port a NAT translates to the same port
	// of the destination.
	Forwarded []netip.Addr

	purpose text
}

// Purpose says what a row is for.
func (r Row) Purpose(l Language) string { return r.purpose.in(l) }

// Site is what the configuration does not say.
type Site struct {
	// Addresses are what the appliance's name resolves to for clients.
	Addresses []netip.Addr
	// Management are the networks from which the server is administered; empty: any.
	Management []netip.Prefix
	// Key is what the appliance shows now, where that is known.
	Key Key
	// AsOf is the day of which all this is true.
	AsOf time.Time
}

// Key is the public key of the appliance's certificate. A renewal may bring another one.
type Key struct {
	SHA256 []byte    // of the SubjectPublicKeyInfo; none: it is not known
	Ends   time.Time // when the certificate does
}

// Plan is what firewalls must let through for one appliance.
type Plan struct {
	Name      string
	Addresses []netip.Addr // of the name
	Key       Key
	AsOf      time.Time
	Rows      []Row

	open bool // the relay reaches public peers
	nat  bool // something translates a public address to the host's own
	acme bool
}

// Table returns a table's rows.
func (p Plan) Table(t Table) (rows []Row) {
	for _, row := range p.Rows {
		if row.Table == t {
			rows = append(rows, row)
		}
	}
	return rows
}
