package core

import (
	"time"

	"praxisrelay/relay/credential"
)

// idle is how long a call whose partner is elsewhere may go without media.
const idle = 30 * time.Second

// Calls returns the number of appointments with a call, which stopping the relay would cut. While
// the core drains, that includes calls that just lost a partner who may be on the way back.
func (c *Core) Calls(now time.Time) (n int) {
	for name, p := range c.appointments {
		if c.isCall(now, p) || now.Before(c.calls[name]) {
			n++
		}
	}
	return n
}

// isCall reports whether two seats hold allocations. In the open relay the partner may be
// elsewhere, so there an appointment with media is also a call, unless it is a test's.
func (c *Core) isCall(now time.Time, p *appointment) bool {
	flows := c.open != nil && now.UnixNano()-p.meter.last.Load() < int64(idle)
	for _, a := range p.members {
		if a.seat != p.members[0].seat || flows && a.seat != credential.Test {
			return true
		}
	}
	return false
}
