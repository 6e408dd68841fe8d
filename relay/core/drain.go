package core

import "time"

// reunion is for how long an appointment that had a call may make allocations while the
// core drains, though no two seats hold any: a page is loaded anew, a network changed.
const reunion = 2 * time.Minute

// Drain makes Allocate answer 508 from now on, or no longer, but to appointments that
// have a call: those go on in every way.
func (c *Core) Drain(now time.Time, on bool) {
	c.calls = nil
	if on {
		c.calls = map[string]time.Time{}
		c.noteCalls(now)
	}
}

// noteCalls notes, while the core drains, which appointments have a call.
func (c *Core) noteCalls(now time.Time) {
	if c.calls == nil {
		return
	}
	for name, p := range c.appointments {
		if c.isCall(now, p) {
			c.calls[name] = now.Add(reunion)
		}
	}
	for name, until := range c.calls {
		if !now.Before(until) {
			delete(c.calls, name)
		}
	}
}

// Admits tells whether an appointment may make allocations: any may, unless the core
// drains.
func (c *Core) Admits(now time.Time, appointment string) bool {
	return c.calls == nil || now.Before(c.calls[appointment])
}

// Calls returns how many appointments have a call. While the core drains, one counts too
// whose partner was lost a moment ago and may be on the way back.
func (c *Core) Calls(now time.Time) (n int) {
	for name, p := range c.appointments {
		if c.isCall(now, p) || now.Before(c.calls[name]) {
			n++
		}
	}
	return n
}

// isCall tells whether two seats hold allocations, which is what the end of the relay
// would cut. In the open relay the partner may be elsewhere: there it is a call where
// media flows.
func (c *Core) isCall(now time.Time, p *appointment) bool {
	for _, a := range p.members {
		if a.seat != p.members[0].seat {
			return true
		}
		if last := max(a.sent.last.Load(), a.received.last.Load()); c.open != nil && now.UnixNano()-last < int64(idle) {
			return true
		}
	}
	return false
}
