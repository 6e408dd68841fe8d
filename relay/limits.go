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
