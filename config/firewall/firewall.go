// Package firewall derives what firewalls must let through for an appliance, and writes it for
// their administrators: as tables, as a page, and as rule sets.
//
// There are three tables: what clients send out from where they are, what the appliance must
// receive, and what it sends out itself. Every row has an id that stays when other parts of the
// configuration change, so that change requests, rule sets and error reports can refer to it.
//
// Only what is used is listed. In particular, clients' firewalls need to let nothing in, and the
// paired relay needs no port range: it forwards between clients that opened their connections
// themselves.
package firewall

import (
	"net/netip"
	"time"

	"praxisrelay/config"
	"praxisrelay/config/lang"
)

// Table is the firewall, and the direction, that a row is for.
type Table string

// The tables.
const (
	ClientEgress     Table = "client-egress"
	ApplianceIngress Table = "appliance-ingress"
	ApplianceEgress  Table = "appliance-egress"
)

// Tables lists all tables, in order.
var Tables = []Table{ClientEgress, ApplianceIngress, ApplianceEgress}

// Need is the effect on consultations if a row stays closed.
type Need string

// The needs.
const (
	Required    Need = "required"    // nothing works
	Recommended Need = "recommended" // the quality is worse
	Fallback    Need = "fallback"    // one way less if others are blocked
	Optional    Need = "optional"    // no effect
)

// Party is the party at one end of a row.
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
	// Name is its DNS name or address, if known.
	Name string
	// Addresses are its addresses; empty: any, or unknown.
	Addresses []netip.Addr
	// Networks restrict it; empty: any.
	Networks []netip.Prefix
}

// Row is one thing to let through. The source opens the connection; answers come back on it.
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
	// Exempt asks to exempt the row from TLS inspection.
	Exempt bool
	// Idle is how long, at least, a firewall must remember a silent connection. 0: irrelevant.
	Idle time.Duration
	// Forwarded are the public addresses whose port a NAT forwards to the same port of the
	// destination.
	Forwarded []netip.Addr

	purpose text
}

// Purpose describes what a row is for.
func (r Row) Purpose(l lang.Language) string { return r.purpose.In(l) }

// Site is what the configuration does not contain.
type Site struct {
	// Addresses are those to which the appliance's name resolves for clients.
	Addresses []netip.Addr
	// Management are the networks from which the server is administered; empty: any.
	Management []netip.Prefix
	// Key is the appliance's current key, if known.
	Key Key
	// AsOf is the day on which this is true.
	AsOf time.Time
}

// Key is the public key of the appliance's certificate. A renewal may change it.
type Key struct {
	SHA256 []byte    // of the SubjectPublicKeyInfo; empty: unknown
	Ends   time.Time // when the certificate expires
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
