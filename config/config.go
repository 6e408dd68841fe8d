// Package config is the one configuration file: its types, defaults, loading and
// validation. A value's way is strict decoding over the defaults, then
// validation; every mistake is reported at once, each with its line.
package config

import (
	"net/netip"
	"time"
)

// Config is everything that the operator decides. Secrets are not in it, only
// the files that hold them.
type Config struct {
	// Name is the DNS name (or address) under which clients reach the appliance.
	Name   string `yaml:"name"`
	Listen Listen `yaml:"listen"`
	TLS    TLS    `yaml:"tls"`
	Relay  Relay  `yaml:"relay"`
	Signal Signal `yaml:"signal"`
}

// Listen holds addresses to listen on, as "host:port"; ":port" is every address
// of the host. Browsers use TURN on the ports 53, 80, 443 and from 1024 up only.
type Listen struct {
	// HTTPS serves the page, the signaling and TURN over TLS on one port.
	HTTPS   string   `yaml:"https"`
	TURNUDP []string `yaml:"turn_udp"`
	TURNTCP []string `yaml:"turn_tcp"`
	TURNTLS []string `yaml:"turn_tls"`
}

// TLS names the certificate chain and its key, both PEM.
type TLS struct {
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
}

// Relay configures the STUN/TURN relay.
type Relay struct {
	// SecretFile holds the secret that TURN credentials are signed with.
	SecretFile string `yaml:"secret_file"`
	// Addresses are what relayed addresses are made of, at most one for IPv4 and
	// one for IPv6. Empty: the host's own.
	Addresses []netip.Addr `yaml:"addresses"`
	// CredentialLifetime is how long a client may make allocations after it
	// joined. An allocation outlives its credential.
	CredentialLifetime time.Duration `yaml:"credential_lifetime"`
	// MaxSession ends an allocation.
	MaxSession time.Duration `yaml:"max_session"`
	// MaxPerSeat and MaxAllocations bound live allocations. A browser holds two
	// per TURN address, and twice that after an ICE restart.
	MaxPerSeat     int `yaml:"max_per_seat"`
	MaxAllocations int `yaml:"max_allocations"`
}

// Signal configures appointments and signaling.
type Signal struct {
	// Registry is the file of the appointments.
	Registry string `yaml:"registry"`
	// PepperFile holds the key without which the registry says nothing about codes.
	PepperFile string `yaml:"pepper_file"`
	// AdminSocket is the unix socket that the commands talk to.
	AdminSocket string `yaml:"admin_socket"`
}

// Default returns the configuration that a file changes.
func Default() Config {
	return Config{
		Listen: Listen{
			HTTPS:   ":443",
			TURNUDP: []string{":3478", ":3479"},
			TURNTCP: []string{":3478", ":3479"},
			TURNTLS: []string{":5349", ":5350"},
		},
		Relay: Relay{
			SecretFile:         "/etc/praxisrelay/turn.secret",
			CredentialLifetime: 8 * time.Hour,
			MaxSession:         24 * time.Hour,
			MaxPerSeat:         16,
			MaxAllocations:     20_000,
		},
		Signal: Signal{
			Registry:    "/var/lib/praxisrelay/registry.db",
			PepperFile:  "/etc/praxisrelay/pepper.secret",
			AdminSocket: "/run/praxisrelay/admin.sock",
		},
	}
}
