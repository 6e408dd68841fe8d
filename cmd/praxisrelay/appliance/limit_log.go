package appliance

import (
	"context"
	"time"
)

// watchLimits logs, every few seconds, which limits were reached and whose PROXY headers were
// refused. The packet path itself only counts.
func (a *Appliance) watchLimits(ctx context.Context) {
	ticker := time.NewTicker(10 * time.Second)
	defer ticker.Stop()
	before := map[string]uint64{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			a.logLimits(before)
		}
	}
}

// logLimits logs what was refused or dropped since before, and updates before.
func (a *Appliance) logLimits(before map[string]uint64) {
	for _, limit := range a.relay.LimitHits() {
		more := limit.Hits - before[limit.Limit]
		before[limit.Limit] = limit.Hits
		switch {
		case more == 0:
		case limit.Last.IsValid():
			a.log.Warn("a limit is reached", "limit", limit.Limit, "times", more, "network", limit.Last)
		default:
			a.log.Warn("a limit is reached", "limit", limit.Limit, "times", more)
		}
	}
	for _, refused := range a.relay.ProxyRefusals() {
		more := refused.Times - before[refused.Reason]
		before[refused.Reason] = refused.Times
		if more > 0 {
			a.log.Warn("connections are refused for their PROXY header", "header", refused.Reason,
				"times", more, "network", refused.Last)
		}
	}
}

// watchPorts warns when the open relay runs out of ports, and again only after ports were free.
func (a *Appliance) watchPorts(ctx context.Context) {
	ticker := time.NewTicker(10 * time.Second)
	defer ticker.Stop()
	for warned := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		free, all := a.relay.Ports()
		scarce := 10*free < all
		if scarce && !warned {
			a.log.Warn("relayed ports run out: widen relay.ports", "free", free, "of", all)
		}
		warned = scarce
	}
}
