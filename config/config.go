// Package config is the one configuration file: its types, defaults, loading and validation. The
// file is strictly decoded over the defaults, then validated; every mistake is reported at once,
// each with its line.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"
)

// Config is everything that the operator decides. It holds no secrets, only the names of files that
// do.
//
// The comments of the fields are also the operator's documentation: the shipped example and
// docs/configuration.md are made from them (TestDocuments).
type Config struct {
	// Name is the DNS name (or address) at which clients reach the appliance. A name with umlauts
	// is used in its DNS form, xn--...
	Name    string  `yaml:"name"`
	TLS     TLS     `yaml:"tls"`
	Listen  Listen  `yaml:"listen"`
	Relay   Relay   `yaml:"relay"`
	Signal  Signal  `yaml:"signal"`
	Metrics Metrics `yaml:"metrics"`
	Log     Log     `yaml:"log"`
	// DrainTimeout is how long a stop waits for running consultations to end.
	DrainTimeout time.Duration `yaml:"drain_timeout"`
}

// TLS is the certificate for the name: a chain and its key, both PEM, or in acme.directory the
// authority that issues them.
type TLS struct {
	// Certificate is the file of the chain, the server's own certificate first.
	Certificate string `yaml:"certificate"`
	// Key is the file of the certificate's private key.
	Key  string `yaml:"key"`
	ACME ACME   `yaml:"acme"`
}

// ACME is the authority that issues and renews the certificate, instead of files (RFC 8555).
type ACME struct {
	// Directory is the authority's URL; setting it accepts the authority's terms. Empty: none.
	Directory string `yaml:"directory"`
	// Email is the contact address for the account.
	Email string `yaml:"email"`
	// CAFile holds the roots (PEM) for the directory's own certificate; empty: the
	// system's.
	CAFile string `yaml:"ca_file"`
	// EABKeyID is the identifier of the key that binds the account to an existing one (RFC 8555,
	// section 7.3.4), if the authority requires that.
	EABKeyID string `yaml:"eab_key_id"`
	// EABKeyFile holds the binding key, in base64url.
	EABKeyFile string `yaml:"eab_key_file"`
	// Cache is the folder for the account's key and the certificates.
	Cache string `yaml:"cache"`
}

// Listen holds addresses to listen on, host:port; ":port" is every address of this host. Browsers
// use TURN only on the ports 53, 80, 443 and from 1024 up.
type Listen struct {
	// HTTPS is for the page, signaling, and TURN over TLS, all on one port.
	HTTPS string `yaml:"https"`
	// HTTP answers ACME's HTTP-01 challenges, on ":80", and redirects everything else to https;
	// empty: off.
	HTTP string `yaml:"http"`
	// TURNUDP is for media at its best quality.
	TURNUDP []string `yaml:"turn_udp"`
	// TURNTCP is for media where UDP is blocked.
	TURNTCP []string `yaml:"turn_tcp"`
	// TURNTLS is for media over TLS on ports other than the page's.
	TURNTLS []string `yaml:"turn_tls"`
	// ProxyProtocolFrom are the networks of proxies that name the client with PROXY protocol v1 or
	// v2.
	ProxyProtocolFrom []netip.Prefix `yaml:"proxy_protocol_from"`
	// MaxConnections is the maximum of open TCP and TLS connections.
	MaxConnections int `yaml:"max_connections"`
	// MaxConnectionsPerPrefix is the maximum of open connections from one IPv4 address or IPv6 /64;
	// a clinic behind a NAT is one. An IPv6 site, a /48, has ten times as many.
	MaxConnectionsPerPrefix int `yaml:"max_connections_per_prefix"`
	// MaxHandshakes is the maximum of connections that are in their TLS handshake or PROXY header;
	// one prefix may have a quarter of them.
	MaxHandshakes int `yaml:"max_handshakes"`
}

// Relay is the STUN/TURN relay.
type Relay struct {
	// SecretFiles hold the secrets of TURN credentials. The first signs and all verify, so that a
	// secret can be replaced during calls: then systemctl reload praxisrelay.
	SecretFiles []string `yaml:"secret_files"`
	// Peers is whom clients can reach. paired: the other seat of their appointment; open: any
	// public peer too.
	Peers string `yaml:"peers"`
	// Addresses are the IP addresses of relayed addresses, at most one each for IPv4 and IPv6;
	// empty: this host's own.
	Addresses []netip.Addr `yaml:"addresses"`
	// PublicAddress is the address that clients are given instead of this host's own, if a NAT
	// translates it.
	PublicAddress netip.Addr `yaml:"public_address"`
	// PublicAddressFrom is a STUN server, host:port, that reports the public address at start.
	PublicAddressFrom string `yaml:"public_address_from"`
	// Ports are the UDP ports of relayed addresses; only the open relay uses them.
	Ports Ports `yaml:"ports"`
	// Allow are networks that the open relay reaches although they are not public.
	Allow []netip.Prefix `yaml:"allow"`
	// Deny are networks that the open relay does not reach although they are public.
	Deny []netip.Prefix `yaml:"deny"`
	// CredentialLifetime is how long a client may make allocations after it joined. An allocation
	// outlives its credential.
	CredentialLifetime time.Duration `yaml:"credential_lifetime"`
	// MaxSession is the longest life of an allocation.
	MaxSession time.Duration `yaml:"max_session"`
	// MaxPerSeat is the maximum of live allocations of a seat; beyond it, the longest idle one
	// makes room. A browser makes up to six, and more when its network changes.
	MaxPerSeat int `yaml:"max_per_seat"`
	// MaxPerPrefix is the maximum of live allocations from one IPv4 address or IPv6 /64: 500 seats
	// behind one NAT. An IPv6 site, a /48, has ten times as many.
	MaxPerPrefix int `yaml:"max_per_prefix"`
	// MaxAllocations is the maximum of live allocations in total.
	MaxAllocations int `yaml:"max_allocations"`
	// AllocationRate is the maximum of media per allocation, in bytes per second: 12 Mbit/s,
	// several times a good picture. The excess is dropped, video before sound. 0: no limit.
	AllocationRate int `yaml:"allocation_rate"`
	// TotalRate is the maximum of media of all allocations together, in bytes per second: 80 % of a
	// line of 1 Gbit/s. 0: no limit.
	TotalRate int `yaml:"total_rate"`
	// UnauthenticatedRate is how many UDP requests without a credential are answered per second and
	// prefix.
	UnauthenticatedRate int `yaml:"unauthenticated_rate"`
}

// Values of Relay.Peers: the relay connects the seats of one appointment, or also any public peer.
const (
	Paired = "paired"
	Open   = "open"
)

// Ports is a range of ports, written "first-last".
type Ports struct{ First, Last uint16 }

// MarshalText writes "first-last".
func (p Ports) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%d-%d", p.First, p.Last), nil }

// UnmarshalText reads "first-last".
func (p *Ports) UnmarshalText(text []byte) error {
	var rest string
	n, _ := fmt.Sscanf(string(text)+" .", "%d-%d %s", &p.First, &p.Last, &rest)
	if n != 3 || rest != "." {
		return errors.New("not a range")
	}
	return nil
}

// Signal is for appointments and signaling.
type Signal struct {
	// Registry is the file of the appointments.
	Registry string `yaml:"registry"`
	// PepperFile holds the key without which the registry reveals nothing about codes. A second
	// line, the former pepper, still finds its codes; after a change: systemctl reload praxisrelay.
	PepperFile string `yaml:"pepper_file"`
	// AdminSocket is the unix socket of praxisrelay code and token.
	AdminSocket string `yaml:"admin_socket"`
	// AdminListen is the address of the admin API, with TLS and tokens; empty: off.
	AdminListen string `yaml:"admin_listen"`
	// Admission is who admits patients. doctor: they wait for the doctor; none: they do not wait.
	Admission string `yaml:"admission"`
}

// Values of Signal.Admission: whether patients wait until the doctor admits them.
const (
	ByDoctor = "doctor"
	None     = "none"
)

// Metrics is for monitoring.
type Metrics struct {
	// Listen is the address of Prometheus metrics, /healthz and /readyz, without TLS; empty: off.
	Listen string `yaml:"listen"`
	// SyntheticCalls is how often the appliance calls itself through its name, over each transport,
	// as clients do; for example 1m. 0: never. For this, the host must reach its own public
	// address, which not every firewall allows.
	SyntheticCalls time.Duration `yaml:"synthetic_calls"`
}

// Log is for the log, on standard error.
type Log struct {
	// Level is the lowest level that is logged: debug, info, warn or error.
	Level slog.Level `yaml:"level"`
	// Addresses is how clients' addresses are logged. pseudonym: a new one every day; prefix: the
	// network (/24, /48); full: unchanged.
	Addresses string `yaml:"addresses"`
}

// Values of Log.Addresses: a pseudonym that changes every day, the network (/24, /48), or the full
// address.
const (
	Pseudonym = "pseudonym"
	Prefix    = "prefix"
	Full      = "full"
)

// Default returns the configuration that a file modifies.
func Default() Config {
	return Config{
		Listen: Listen{
			HTTPS:   ":443",
			TURNUDP: []string{":3478", ":3479"},
			TURNTCP: []string{":3478", ":3479"},
			TURNTLS: []string{":5349", ":5350"},

			MaxConnections:          20_000,
			MaxConnectionsPerPrefix: 6_000,
			MaxHandshakes:           1_000,
		},
		TLS: TLS{ACME: ACME{Cache: "/var/lib/praxisrelay/acme"}},
		Relay: Relay{
			SecretFiles:         []string{"/etc/praxisrelay/turn.secret"},
			Peers:               Paired,
			Ports:               Ports{49152, 65535},
			CredentialLifetime:  8 * time.Hour,
			MaxSession:          24 * time.Hour,
			MaxPerSeat:          16,
			MaxPerPrefix:        8_000,
			MaxAllocations:      20_000,
			AllocationRate:      1_500_000,
			TotalRate:           100_000_000,
			UnauthenticatedRate: 10,
		},
		Signal: Signal{
			Registry:    "/var/lib/praxisrelay/registry.db",
			PepperFile:  "/etc/praxisrelay/pepper.secret",
			AdminSocket: "/run/praxisrelay/admin.sock",
			Admission:   ByDoctor,
		},
		Metrics:      Metrics{Listen: "127.0.0.1:9478"},
		Log:          Log{Level: slog.LevelInfo, Addresses: Pseudonym},
		DrainTimeout: time.Minute,
	}
}
