package relay

import (
	"praxisrelay/config"
	"praxisrelay/relay/core"
)

// Reconfigure takes over the limits and the policy of another configuration, or nothing if a limit
// is out of bounds. No allocation or connection ends because of it: limits apply to what is new,
// rates at once, and a peer that Deny now covers is refused when its permission or channel is next
// refreshed. Other settings need a new relay.
func (r *Relay) Reconfigure(l config.Listen, c config.Relay) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.core.SetLimits(coreLimits(c), c.MaxSession); err != nil {
		return err
	}
	r.peers.policy.Allow, r.peers.policy.Deny = c.Allow, c.Deny
	r.open.Limit(l.MaxConnections, l.MaxConnectionsPerPrefix)
	r.handshakes.Limit(l.MaxHandshakes, handshakesPerPrefix(l))
	return nil
}

func coreLimits(c config.Relay) core.Limits {
	return core.Limits{
		PerSeat:         c.MaxPerSeat,
		PerPrefix:       c.MaxPerPrefix,
		Total:           c.MaxAllocations,
		AllocationRate:  c.AllocationRate,
		TotalRate:       c.TotalRate,
		Unauthenticated: c.UnauthenticatedRate,
	}
}

// handshakesPerPrefix is a quarter of MaxHandshakes, rounded up.
func handshakesPerPrefix(l config.Listen) int { return (l.MaxHandshakes + 3) / 4 }
