package core

import (
	"net/netip"
	"testing"
	"time"

	"praxisrelay/relay/credential"
)

// TestNothingStartsHalfConfigured: a missing setting is not taken as permission. An open relay
// without a policy would reach everything.
func TestNothingStartsHalfConfigured(t *testing.T) {
	keys, err := credential.NewKeyring([]byte("the secret of all tests"))
	if err != nil {
		t.Fatal(err)
	}
	whole := func() Config {
		return Config{
			Keys: keys, RelayedIPv4: relayed, MaxSession: time.Hour, Limits: limits,
			Open: &Open{
				FirstPort: 50000, LastPort: 50000,
				Bind:    func(netip.AddrPort) error { return nil },
				Release: func(netip.AddrPort) {},
				Permits: func(netip.Addr) bool { return false },
			},
		}
	}
	six := netip.MustParseAddr("2001:db8::1")
	for name, change := range map[string]func(*Config){
		"as it should be":   func(*Config) {},
		"paired":            func(c *Config) { c.Open = nil },
		"IPv6 alone":        func(c *Config) { c.RelayedIPv4, c.RelayedIPv6 = netip.Addr{}, six },
		"rates without end": func(c *Config) { c.Limits.AllocationRate, c.Limits.TotalRate = 0, 0 },
	} {
		config := whole()
		change(&config)
		if c, err := New(config); err != nil || c == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*Config){
		"no secret":                    func(c *Config) { c.Keys = nil },
		"no address":                   func(c *Config) { c.RelayedIPv4 = netip.Addr{} },
		"IPv6 as the IPv4 address":     func(c *Config) { c.RelayedIPv4 = six },
		"IPv4 as the IPv6 address":     func(c *Config) { c.RelayedIPv4, c.RelayedIPv6 = netip.Addr{}, relayed },
		"no longest session":           func(c *Config) { c.MaxSession = 0 },
		"a session before its start":   func(c *Config) { c.MaxSession = -time.Second },
		"no limits":                    func(c *Config) { c.Limits = Limits{} },
		"none per seat":                func(c *Config) { c.Limits.PerSeat = 0 },
		"none per prefix":              func(c *Config) { c.Limits.PerPrefix = 0 },
		"none in all":                  func(c *Config) { c.Limits.Total = -1 },
		"no unauthenticated answers":   func(c *Config) { c.Limits.Unauthenticated = 0 },
		"a rate below zero":            func(c *Config) { c.Limits.AllocationRate = -1 },
		"a rate below zero in all":     func(c *Config) { c.Limits.TotalRate = -1 },
		"an open relay without policy": func(c *Config) { c.Open.Permits = nil },
		"without sockets":              func(c *Config) { c.Open.Bind = nil },
		"without an end of sockets":    func(c *Config) { c.Open.Release = nil },
		"without ports":                func(c *Config) { c.Open.FirstPort = c.Open.LastPort + 1 },
	} {
		config := whole()
		change(&config)
		if c, err := New(config); err == nil || c != nil {
			t.Errorf("%s: it starts", name)
		}
	}
}
