package admin

import (
	"sync"
	"time"

	"praxisrelay/signal/limit"
)

// shownCodes limits the wrong codes that a token shows, as guesses does those of a network.
// The socket has no limit: whoever opens it may do everything.
type shownCodes struct {
	mu       sync.Mutex
	failures limit.Failures[caller]
}

func newShownCodes() *shownCodes {
	return &shownCodes{failures: limit.NewFailures[caller](limit.GuessBurst, limit.GuessInterval)}
}

// wait returns how long until a code is worth stretching.
func (c *shownCodes) wait(now time.Time, from caller) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failures.Wait(now, from)
}

// judge notes whether a code is right. Where it returns a wait, nobody may be told.
func (c *shownCodes) judge(now time.Time, from caller, right bool) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	wait := c.failures.Wait(now, from)
	if wait == 0 && !right && from.name != socketCaller {
		c.failures.Note(now, from)
	}
	return wait
}
