package relay

import (
	"net"
	"net/netip"
	"sync"

	"praxisrelay/relay/core"
)

// connections counts what is open, in all and per source prefix. It holds an entry
// for every prefix with something open, so it is bounded by what it bounds.
//
// A prefix gets no more than what is still free for others: those who open as many as
// they can leave room for one who wants a few.
type connections struct {
	mu                  sync.Mutex
	most, mostPerPrefix int
	open                int
	prefixes            map[netip.Addr]int
	refused             refused
}

// refused counts what was not admitted, since there was too much in all or of a prefix.
type refused struct {
	all, prefix uint64
	last        netip.Addr // that was refused
}

func newConnections(most, mostPerPrefix int) *connections {
	return &connections{most: most, mostPerPrefix: mostPerPrefix, prefixes: map[netip.Addr]int{}}
}

// limit takes other limits for what comes from now on.
func (c *connections) limit(most, mostPerPrefix int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.most, c.mostPerPrefix = most, mostPerPrefix
}

// admit counts one more from an address, unless there are too many. What it
// returns takes that one back, once.
func (c *connections) admit(client netip.Addr) (release func(), ok bool) {
	prefix := core.Prefix(client)
	c.mu.Lock()
	defer c.mu.Unlock()
	held := c.prefixes[prefix]
	if held >= min(c.mostPerPrefix, c.most-c.open) {
		c.refused.last = client
	}
	switch {
	case held >= c.mostPerPrefix:
		c.refused.prefix++
		return nil, false
	case held >= c.most-c.open:
		c.refused.all++
		return nil, false
	}
	c.open++
	c.prefixes[prefix]++
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.open--
		if c.prefixes[prefix]--; c.prefixes[prefix] == 0 {
			delete(c.prefixes, prefix)
		}
	}), true
}

// refusals returns what was refused since the start.
func (c *connections) refusals() refused {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused
}

// countedConn is a connection that is counted until it is closed.
type countedConn struct {
	net.Conn
	release func()
}

func (c countedConn) Close() error {
	c.release()
	return c.Conn.Close()
}
