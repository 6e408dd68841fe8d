package core

import "time"

// MaxAllocations is how many there may be.
func (c *Core) MaxAllocations() int { return c.config.Limits.Total }

// Calls returns the number of appointments whose media is relayed. One that found a
// direct way holds allocations beside, which are idle.
func (c *Core) Calls(now time.Time) (calls int) {
	for _, p := range c.appointments {
		if now.UnixNano()-p.meter.last.Load() < int64(idle) {
			calls++
		}
	}
	return calls
}
