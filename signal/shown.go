package signal

import (
	"sync"
	"time"
)

// shownCodes limits the wrong codes that a token shows, as guesses does those of a network.
// The socket has no limit: whoever opens it may do everything.
type shownCodes struct {
	mu       sync.Mutex
	failures failures[caller]
}

func newShownCodes() *shownCodes {
	return &shownCodes{failures: newFailures[caller](guessBurst, guessInterval)}
}

// wait returns how long until a code is worth stretching.
func (c *shownCodes) wait(now time.Time, from caller) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failures.wait(now, from)
}

// judge notes whether a code is right. Where it returns a wait, nobody may be told.
func (c *shownCodes) judge(now time.Time, from caller, right bool) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	wait := c.failures.wait(now, from)
	if wait == 0 && !right && from.name != socketCaller {
		c.failures.note(now, from)
	}
	return wait
}
