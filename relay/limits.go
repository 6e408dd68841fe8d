package relay

import (
	"net/netip"

	"praxisrelay/relay/core"
)

// LimitHits counts what a limit has refused or dropped since the start.
type LimitHits struct {
	Limit string // the configuration key, if it has one
	Hits  uint64
	// Last is the client last refused, for limits on a source prefix.
	Last netip.Addr
}

// LimitHits returns the hits of all limits.
func (r *Relay) LimitHits() []LimitHits {
	r.mu.Lock()
	stats := r.core.Stats()
	r.mu.Unlock()
	refused := r.open.Refused()
	busy := r.handshakes.Refused()
	shaped := stats.Drops[core.DropAllocationRate] + stats.Drops[core.DropAppointmentRate]
	hits := []LimitHits{
		{"relay.allocation_rate", shaped, netip.Addr{}},
		{"relay.total_rate", stats.Drops[core.DropTotalRate], netip.Addr{}},
		{"listen.max_connections", refused.All, netip.Addr{}},
		{"listen.max_connections_per_prefix", refused.Network, refused.Last},
		{"listen.max_handshakes", busy.All + busy.Network, busy.Last},
	}
	for i, n := range stats.Limits {
		limit, last := core.Limit(i), netip.Addr{}
		if limit == core.LimitPerPrefix || limit == core.LimitUnauthenticated {
			last = stats.LastLimited[i]
		}
		hits = append(hits, LimitHits{"relay." + limit.String(), n, last})
	}
	return hits
}

// Snapshot is what a relay holds at one moment, and the limits.
type Snapshot struct {
	Calls                       int // see core.Core.Calls
	UDP, TCP, TLS               int // allocations, by client transport
	Allocations, MaxAllocations int
	Connections, MaxConnections int // on the stream listeners, including HTTP
	Handshakes, MaxHandshakes   int // those within the TLS handshake
	Ports, MaxPorts             int // of the open relay, otherwise zero
}

// Snapshot returns the current state.
func (r *Relay) Snapshot() Snapshot {
	var s Snapshot
	s.Connections, s.MaxConnections = r.open.Use()
	s.Handshakes, s.MaxHandshakes = r.handshakes.Use()
	free, all := r.Ports()
	s.Ports, s.MaxPorts = all-free, all
	r.mu.Lock()
	defer r.mu.Unlock()
	live := r.core.Stats().Live
	s.UDP, s.TCP, s.TLS = live[core.UDP], live[core.TCP], live[core.TLS]
	s.Calls = r.core.Calls(r.now())
	s.Allocations, s.MaxAllocations = r.core.Allocations(), r.core.MaxAllocations()
	return s
}
