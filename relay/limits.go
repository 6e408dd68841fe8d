package relay

import (
	"net/netip"

	"praxisrelay/relay/core"
)

// LimitHits is how often a limit has refused or dropped something since the start.
type LimitHits struct {
	Limit string // the configuration's key, where it is there
	Hits  uint64
	// Last is who was refused last, where the limit is one of a source prefix.
	Last netip.Addr
}

// LimitHits returns those of all limits.
func (r *Relay) LimitHits() []LimitHits {
	r.mu.Lock()
	stats := r.core.Stats()
	r.mu.Unlock()
	refused := r.open.Refused()
	busy := r.handshakes.Refused()
	hits := []LimitHits{
		{"relay.allocation_rate", stats.Drops[core.DropAllocationRate] + stats.Drops[core.DropAppointmentRate], netip.Addr{}},
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
