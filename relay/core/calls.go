package core

import (
	"time"

	"praxisrelay/relay/credential"
)

// idle is how long no media may flow in a call whose partner is elsewhere.
const idle = 30 * time.Second

// Calls returns how many appointments have a call: what the end of the relay would cut.
// While the core drains, one counts too whose partner was lost a moment ago and may be on
// the way back.
func (c *Core) Calls(now time.Time) (n int) {
	for name, p := range c.appointments {
		if c.isCall(now, p) || now.Before(c.calls[name]) {
			n++
		}
	}
	return n
}

// isCall reports whether two seats hold allocations. In the open relay the partner may be
// elsewhere: there it is a call where media flows, but for a test's.
func (c *Core) isCall(now time.Time, p *appointment) bool {
	flows := c.open != nil && now.UnixNano()-p.meter.last.Load() < int64(idle)
	for _, a := range p.members {
		if a.seat != p.members[0].seat || flows && a.seat != credential.Test {
			return true
		}
	}
	return false
}
