package core

import (
	"container/heap"
	"net/netip"
	"slices"
	"time"

	"github.com/pion/stun/v3"
)

// allocation is RFC 8656's allocation: a client's claim on a relayed address.
type allocation struct {
	tuple       FiveTuple
	username    string
	appointment *appointment
	seat        string
	generation  int // of its credential
	relayed     netip.AddrPort

	created time.Time
	ends    time.Time // however it is refreshed
	expires time.Time
	index   int // in the heap of expiries

	// A retransmitted Allocate gets the first one's answer.
	transaction [stun.TransactionIDSize]byte
	granted     time.Duration

	permissions []permission // at most maxPermissions
	channels    []*channel   // at most maxChannels

	refusals       bucket // budget for refusing unauthenticated requests
	sent, received meter
}

// permission lets a peer's data through until it expires.
type permission struct {
	peer  netip.Addr
	until time.Time
}

// channel is a number bound to a peer until it expires.
type channel struct {
	owner   *allocation
	number  uint16
	peer    netip.AddrPort
	expires time.Time
}

// permitted returns when the permission for a peer expires, which may be in the past.
func (a *allocation) permitted(peer netip.Addr) time.Time {
	for _, p := range a.permissions {
		if p.peer == peer {
			return p.until
		}
	}
	return time.Time{}
}

// permit installs or refreshes a permission.
func (a *allocation) permit(peer netip.Addr, until time.Time) {
	for i := range a.permissions {
		if a.permissions[i].peer == peer {
			a.permissions[i].until = until
			return
		}
	}
	a.permissions = append(a.permissions, permission{peer, until})
}

// channelTo returns the channel that is bound to a peer, or nil.
func (a *allocation) channelTo(peer netip.AddrPort) *channel {
	for _, ch := range a.channels {
		if ch.peer == peer {
			return ch
		}
	}
	return nil
}

// partnerAt reports whether the other seat holds a relayed address with this IP address.
func (a *allocation) partnerAt(addr netip.Addr) bool {
	return slices.ContainsFunc(a.appointment.members, func(other *allocation) bool {
		return other.seat != a.seat && other.relayed.Addr() == addr
	})
}

// appointment is the state shared by the allocations of one consultation.
type appointment struct {
	name    string
	space   *space
	members []*allocation
	meter   meter // of all that they send and receive
}

// appointment returns the appointment with a name. A new one is only stored once it has a member.
func (c *Core) appointment(name string) *appointment {
	if p := c.appointments[name]; p != nil {
		return p
	}
	if c.open != nil {
		return &appointment{name: name, space: c.open}
	}
	return &appointment{name: name, space: newSpace()}
}

// end removes an allocation and every route to or from it. Why is one of the Ended constants.
func (c *Core) end(now time.Time, a *allocation, why string) {
	c.observe(Ended, a, why)
	p := a.appointment
	for _, ch := range a.channels {
		c.forget(ch)
	}
	for _, permission := range a.permissions {
		c.unrouteInbound(a, permission.peer)
	}
	p.space.release(a.relayed, now)
	if c.config.Open != nil {
		c.config.Open.Release(a.relayed)
	}
	c.rerouteTowards(p.space, a.relayed)
	p.members = slices.DeleteFunc(p.members, func(other *allocation) bool { return other == a })
	if len(p.members) == 0 {
		delete(c.appointments, p.name)
	}
	c.count(a.tuple.Client.Addr(), -1)
	delete(c.allocations, a.tuple)
	heap.Remove(&c.expiries, a.index)
	c.stats.Live[a.tuple.Transport]--
}

// expire ends every allocation whose time is up.
func (c *Core) expire(now time.Time) {
	for len(c.expiries) > 0 && !now.Before(c.expiries[0].expires) {
		why := EndedByTime
		if a := c.expiries[0]; a.ends.Sub(a.expires) < time.Second { // lifetimes are whole seconds
			why = EndedByLimit
		}
		c.end(now, c.expiries[0], why)
	}
}

// expiries is a heap of allocations, the next to expire first.
type expiries []*allocation

func (e expiries) Len() int           { return len(e) }
func (e expiries) Less(i, j int) bool { return e[i].expires.Before(e[j].expires) }
func (e expiries) Swap(i, j int) {
	e[i], e[j] = e[j], e[i]
	e[i].index, e[j].index = i, j
}
func (e *expiries) Push(x any) {
	a := x.(*allocation)
	a.index = len(*e)
	*e = append(*e, a)
}
func (e *expiries) Pop() any {
	last := len(*e) - 1
	a := (*e)[last]
	(*e)[last] = nil
	*e = (*e)[:last]
	return a
}
