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
type Config struct {
	// Name is the DNS name (or address) under which clients reach the appliance.
	Name    string  `yaml:"name"`
	Listen  Listen  `yaml:"listen"`
	TLS     TLS     `yaml:"tls"`
	Relay   Relay   `yaml:"relay"`
	Signal  Signal  `yaml:"signal"`
	Metrics Metrics `yaml:"metrics"`
	Log     Log     `yaml:"log"`
	// DrainTimeout is how long a stop waits for running consultations to end.
	DrainTimeout time.Duration `yaml:"drain_timeout"`
}

// Listen holds addresses to listen on, as "host:port"; ":port" is every address
// of the host. Browsers use TURN on the ports 53, 80, 443 and from 1024 up only.
type Listen struct {
	// HTTPS serves the page, the signaling and TURN over TLS on one port.
	HTTPS string `yaml:"https"`
	// HTTP answers ACME's HTTP-01 challenges and sends all else to HTTPS. Empty:
	// nothing is served there.
	HTTP    string   `yaml:"http"`
	TURNUDP []string `yaml:"turn_udp"`
	TURNTCP []string `yaml:"turn_tcp"`
	TURNTLS []string `yaml:"turn_tls"`
	// ProxyProtocolFrom are the proxies whose connections begin with a PROXY
	// protocol v2 header that names the client.
	ProxyProtocolFrom []netip.Prefix `yaml:"proxy_protocol_from"`
	// What is open at once on the stream listeners, in all and per source prefix
	// (an IPv4 address or an IPv6 /64), and of it what has not finished its TLS
	// handshake; of those a quarter per prefix.
	MaxConnections          int `yaml:"max_connections"`
	MaxConnectionsPerPrefix int `yaml:"max_connections_per_prefix"`
	MaxHandshakes           int `yaml:"max_handshakes"`
}

// TLS names the certificate chain and its key, both PEM, or who issues them.
type TLS struct {
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
	ACME        ACME   `yaml:"acme"`
}

// ACME has the certificate issued and renewed by an authority (RFC 8555), in place
// of files. To name the authority is to accept its terms of service.
type ACME struct {
	// Directory is the URL of the authority. Empty: ACME is not used.
	Directory string `yaml:"directory"`
	// Email is where the authority writes about the account. It may be empty.
	Email string `yaml:"email"`
	// CAFile holds the roots (PEM) that vouch for the directory's own certificate.
	// Empty: those of the system.
	CAFile string `yaml:"ca_file"`
	// EABKeyID and EABKeyFile bind the account to one that exists elsewhere (RFC
	// 8555, section 7.3.4), where the authority asks for that. The file holds the
	// key in base64url.
	EABKeyID   string `yaml:"eab_key_id"`
	EABKeyFile string `yaml:"eab_key_file"`
	// Cache is the folder of the account's key and the certificates.
	Cache string `yaml:"cache"`
}

// Relay configures the STUN/TURN relay.
type Relay struct {
	// SecretFiles hold the secrets of TURN credentials. The first signs, all
	// verify, so that a secret can be replaced while calls go on.
	SecretFiles []string `yaml:"secret_files"`
	// Peers is Paired or Open.
	Peers string `yaml:"peers"`
	// Addresses are what relayed addresses are made of, at most one for IPv4 and
	// one for IPv6. Empty: the host's own.
	Addresses []netip.Addr `yaml:"addresses"`
	// PublicAddress takes the place of the host's own in what clients are told,
	// where a NAT translates one to the other.
	PublicAddress netip.Addr `yaml:"public_address"`
	// PublicAddressFrom is a STUN server, "host:port", that is asked for it at start.
	PublicAddressFrom string `yaml:"public_address_from"`
	// Ports of relayed addresses of the open relay.
	Ports Ports `yaml:"ports"`
	// Allow and Deny change which peers the open relay reaches.
	Allow []netip.Prefix `yaml:"allow"`
	Deny  []netip.Prefix `yaml:"deny"`
	// CredentialLifetime is how long a client may make allocations after it
	// joined. An allocation outlives its credential.
	CredentialLifetime time.Duration `yaml:"credential_lifetime"`
	// MaxSession ends an allocation.
	MaxSession time.Duration `yaml:"max_session"`
	// Live allocations: of one seat, of one appointment, from one source prefix,
	// and in all.
	MaxPerSeat        int `yaml:"max_per_seat"`
	MaxPerAppointment int `yaml:"max_per_appointment"`
	MaxPerPrefix      int `yaml:"max_per_prefix"`
	MaxAllocations    int `yaml:"max_allocations"`
	// Bytes of media per second, of one allocation and in all. 0: no limit.
	AllocationRate int `yaml:"allocation_rate"`
	TotalRate      int `yaml:"total_rate"`
	// UnauthenticatedRate is how many answers per second a source prefix gets over
	// UDP without credentials.
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

// Signal configures appointments and signaling.
type Signal struct {
	// Registry is the file of the appointments.
	Registry string `yaml:"registry"`
	// PepperFile holds the key without which the registry says nothing about codes.
	PepperFile string `yaml:"pepper_file"`
	// AdminSocket is the unix socket that the commands talk to.
	AdminSocket string `yaml:"admin_socket"`
	// AdminListen is where the same is served over TLS to who has a token, as
	// "host:port". Empty: nowhere.
	AdminListen string `yaml:"admin_listen"`
	// Admission is ByDoctor or None.
	Admission string `yaml:"admission"`
	// MaxMessage bounds a frame of a client, in bytes.
	MaxMessage int `yaml:"max_message"`
}

// Whether patients wait until the doctor lets them in.
const (
	ByDoctor = "doctor"
	None     = "none"
)

// Metrics configures what monitoring reads.
type Metrics struct {
	// Listen is where Prometheus' metrics, /healthz and /readyz are served without
	// TLS, as "host:port". Empty: nowhere.
	Listen string `yaml:"listen"`
}

// Log configures what is logged, to standard error.
type Log struct {
	// Level is debug, info, warn or error: what is below is left out.
	Level slog.Level `yaml:"level"`
	// Addresses is Pseudonym, Prefix or Full.
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
