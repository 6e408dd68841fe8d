// Package config is the one configuration file: its types, defaults, loading and
// validation. A value's way is strict decoding over the defaults, then
// validation; every mistake is reported at once, each with its line.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"
)

// Config is everything that the operator decides. Secrets are not in it, only
// the files that hold them.
//
// The comments of the fields are the operator's documentation too: the shipped
// example and docs/configuration.md are made of them (TestDocuments).
type Config struct {
	// Name is the DNS name (or address) under which clients reach the appliance. One with
	// umlauts is used in the form that DNS has, xn--...
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

// TLS is the certificate for the name: a chain and its key, both PEM, or the
// authority that issues them, in acme.directory.
type TLS struct {
	// Certificate is the file of the chain, the server's own certificate first.
	Certificate string `yaml:"certificate"`
	// Key is the file of its private key.
	Key  string `yaml:"key"`
	ACME ACME   `yaml:"acme"`
}

// ACME is who issues and renews the certificate in place of files (RFC 8555).
type ACME struct {
	// Directory is the authority's URL, whose terms you accept with it; empty: none.
	Directory string `yaml:"directory"`
	// Email is where it writes to about the account.
	Email string `yaml:"email"`
	// CAFile holds the roots (PEM) for the directory's own certificate; empty: the
	// system's.
	CAFile string `yaml:"ca_file"`
	// EABKeyID is the name of the key that binds the account to one elsewhere (RFC
	// 8555, section 7.3.4), where the authority asks for that.
	EABKeyID string `yaml:"eab_key_id"`
	// EABKeyFile holds that key, in base64url.
	EABKeyFile string `yaml:"eab_key_file"`
	// Cache is the folder of the account's key and the certificates.
	Cache string `yaml:"cache"`
}

// Listen holds addresses to listen on, host:port; ":port" is every address of this
// host. Browsers use TURN on the ports 53, 80, 443 and from 1024 up only.
type Listen struct {
	// HTTPS is for the page, signaling, and TURN over TLS, all on one port.
	HTTPS string `yaml:"https"`
	// HTTP answers ACME's HTTP-01 challenges, on ":80", and sends all else to https;
	// empty: nothing is served there.
	HTTP string `yaml:"http"`
	// TURNUDP is for media at its best quality.
	TURNUDP []string `yaml:"turn_udp"`
	// TURNTCP is for media where UDP is blocked.
	TURNTCP []string `yaml:"turn_tcp"`
	// TURNTLS is for media over TLS apart from the page.
	TURNTLS []string `yaml:"turn_tls"`
	// ProxyProtocolFrom are networks of proxies that name the client with PROXY
	// protocol v1 or v2.
	ProxyProtocolFrom []netip.Prefix `yaml:"proxy_protocol_from"`
	// MaxConnections is how many TCP and TLS connections are open at once.
	MaxConnections int `yaml:"max_connections"`
	// MaxConnectionsPerPrefix is how many of them are from one IPv4 address or IPv6
	// /64: a clinic behind a NAT is one. An IPv6 site, a
	// /48, has ten times as many.
	MaxConnectionsPerPrefix int `yaml:"max_connections_per_prefix"`
	// MaxHandshakes is how many of them are within their TLS handshake or PROXY
	// header, a quarter from one prefix.
	MaxHandshakes int `yaml:"max_handshakes"`
}

// Relay is the STUN/TURN relay.
type Relay struct {
	// SecretFiles hold what signs TURN credentials. The first signs, all verify, so
	// that one can be replaced while calls go on: then systemctl reload praxisrelay.
	SecretFiles []string `yaml:"secret_files"`
	// Peers is whom clients reach. paired: the other seat of their appointment; open:
	// any public peer too.
	Peers string `yaml:"peers"`
	// Addresses are what relayed addresses are made of, at most one for IPv4 and one
	// for IPv6; empty: this host's own.
	Addresses []netip.Addr `yaml:"addresses"`
	// PublicAddress is what clients are told in place of this host's own, where a NAT
	// translates the one to the other.
	PublicAddress netip.Addr `yaml:"public_address"`
	// PublicAddressFrom is a STUN server, host:port, that is asked for it at start.
	PublicAddressFrom string `yaml:"public_address_from"`
	// Ports are those of relayed addresses, over UDP; the open relay alone uses them.
	Ports Ports `yaml:"ports"`
	// Allow are networks that the open relay reaches although they are not public.
	Allow []netip.Prefix `yaml:"allow"`
	// Deny are networks that it does not reach although they are.
	Deny []netip.Prefix `yaml:"deny"`
	// CredentialLifetime is how long a client may make allocations after it joined.
	// An allocation outlives its credential.
	CredentialLifetime time.Duration `yaml:"credential_lifetime"`
	// MaxSession is how long an allocation lives at most.
	MaxSession time.Duration `yaml:"max_session"`
	// MaxPerSeat is how many live allocations a seat has; then its longest idle one
	// makes room. A browser makes up to six, and others when its network changes.
	MaxPerSeat int `yaml:"max_per_seat"`
	// MaxPerAppointment is how many of them an appointment has.
	MaxPerAppointment int `yaml:"max_per_appointment"`
	// MaxPerPrefix is how many of them are from one IPv4 address or IPv6 /64: 500
	// seats behind one NAT. An IPv6 site, a /48, has ten times as many.
	MaxPerPrefix int `yaml:"max_per_prefix"`
	// MaxAllocations is how many of them there are in all.
	MaxAllocations int `yaml:"max_allocations"`
	// AllocationRate is how many bytes of media per second one of them carries: 12
	// Mbit/s, several times a good picture. What is above is dropped, video before
	// sound. 0: no limit.
	AllocationRate int `yaml:"allocation_rate"`
	// TotalRate is how many they carry together: 80 % of a line of 1 Gbit/s. 0: no limit.
	TotalRate int `yaml:"total_rate"`
	// UnauthenticatedRate is how many answers per second a prefix gets over UDP that
	// shows no credential.
	UnauthenticatedRate int `yaml:"unauthenticated_rate"`
}

// Whom the relay forwards to: the seats of one appointment, or also any public peer.
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

// Signal is appointments and signaling.
type Signal struct {
	// Registry is the file of the appointments.
	Registry string `yaml:"registry"`
	// PepperFile holds the key without which the registry says nothing of codes. A
	// second line, the former pepper, still finds its codes; after a change:
	// systemctl reload praxisrelay.
	PepperFile string `yaml:"pepper_file"`
	// AdminSocket is the unix socket of praxisrelay code and token.
	AdminSocket string `yaml:"admin_socket"`
	// AdminListen is where the admin API is served with TLS and tokens; empty: nowhere.
	AdminListen string `yaml:"admin_listen"`
	// Admission is who lets patients in. doctor: they wait for that; none: they do not.
	Admission string `yaml:"admission"`
	// MaxMessage is how many bytes a sealed message has with its frame, at most.
	MaxMessage int `yaml:"max_message"`
}

// Whether patients wait until the doctor lets them in.
const (
	ByDoctor = "doctor"
	None     = "none"
)

// Metrics is what monitoring reads.
type Metrics struct {
	// Listen is where Prometheus' metrics, /healthz and /readyz are served, without
	// TLS; empty: nowhere.
	Listen string `yaml:"listen"`
	// SyntheticCalls is how often the appliance calls itself through its name, over each
	// transport, as clients do: 1m, say. 0: never. This host must reach its own public
	// address for it, which not every firewall allows.
	SyntheticCalls time.Duration `yaml:"synthetic_calls"`
}

// Log is what is logged, to standard error.
type Log struct {
	// Level is the least that is logged: debug, info, warn or error.
	Level slog.Level `yaml:"level"`
	// Addresses is how clients' addresses are logged. pseudonym: another one every
	// day; prefix: the network (/24, /48); full: as they are.
	Addresses string `yaml:"addresses"`
}

// How clients' addresses are logged: as a pseudonym that is another one every day,
// cut to the network (/24, /48), or as they are.
const (
	Pseudonym = "pseudonym"
	Prefix    = "prefix"
	Full      = "full"
)

// Default returns the configuration that a file changes.
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
			MaxPerAppointment:   48,
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
			MaxMessage:  16 << 10,
		},
		Metrics:      Metrics{Listen: "127.0.0.1:9478"},
		Log:          Log{Level: slog.LevelInfo, Addresses: Pseudonym},
		DrainTimeout: time.Minute,
	}
}
