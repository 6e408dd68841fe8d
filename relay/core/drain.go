package core

import "time"

// reunion is for how long an appointment that had a call may make allocations while the
// core drains, though no two seats hold any: a page is loaded again, a network changed.
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

// Admits reports whether an appointment may make allocations: any may, unless the core
// drains.
func (c *Core) Admits(now time.Time, appointment string) bool {
	return c.calls == nil || now.Before(c.calls[appointment])
}
