package admin

import (
	"sync"
	"time"

	"praxisrelay/signal/limit"
)

// shownCodes limits a token's wrong codes, as guesses does a network's. The socket has no limit:
// its callers may do everything.
type shownCodes struct {
	mu       sync.Mutex
	failures limit.Failures[caller]
}

func newShownCodes() *shownCodes {
	return &shownCodes{failures: limit.NewFailures[caller](limit.GuessBurst, limit.GuessInterval)}
}

// wait returns how long the caller must wait until a code is worth stretching.
func (c *shownCodes) wait(now time.Time, from caller) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failures.Wait(now, from)
}

// judge records whether a code is right. If it returns a wait, the result must not be disclosed.
func (c *shownCodes) judge(now time.Time, from caller, right bool) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	wait := c.failures.Wait(now, from)
	if wait == 0 && !right && from.name != socketCaller {
		c.failures.Note(now, from)
	}
	return wait
}
