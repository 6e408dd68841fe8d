package core

import "time"

// reunion is how long an appointment may still make allocations after its call lost a seat while
// the core drains: the page may be reloading, or the network changing.
const reunion = 2 * time.Minute

// Drain turns draining on or off. While the core drains, Allocate answers 508, except to
// appointments with a call, which continue unrestricted.
func (c *Core) Drain(now time.Time, on bool) {
	c.calls = nil
	if on {
		c.calls = map[string]time.Time{}
		c.noteCalls(now)
	}
}

// noteCalls records which appointments have a call while the core drains.
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

// Admits reports whether an appointment may make allocations. Every appointment may, unless the
// core drains.
func (c *Core) Admits(now time.Time, appointment string) bool {
	return c.calls == nil || now.Before(c.calls[appointment])
}
