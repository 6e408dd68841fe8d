package core

import (
	"container/heap"
	"net/netip"
	"time"

	"github.com/pion/stun/v3"
)

const protocolUDP = 17 // REQUESTED-TRANSPORT, RFC 8656, section 18.7

// allocate makes an allocation (RFC 8656, section 7.2).
func (c *Core) allocate(from FiveTuple, held *allocation) []byte {
	r := &c.request
	if held != nil {
		if held.transaction == r.id && held.username == r.username {
			return c.allocated(from, held)
		}
		return c.fail(from, errAllocated)
	}
	if _, revoked := c.revoked[r.identity.Appointment]; revoked || !c.now.Before(r.identity.Expires) {
		return c.fail(from, errExpired)
	}
	switch {
	case !r.hasTransport, r.reservation && (r.evenPort || r.family != 0):
		return c.fail(from, errBadRequest)
	case r.transport != protocolUDP:
		return c.fail(from, errTransport)
	case r.reservation, r.reserve:
		return c.fail(from, errCapacity) // reservations are not served
	}
	ip := c.config.RelayedIPv4
	if r.family == familyIPv6 {
		ip = c.config.RelayedIPv6
	}
	if !ip.IsValid() || r.family > familyIPv6 {
		return c.fail(from, errFamilyUnsupported)
	}
	if len(c.allocations) >= c.config.MaxAllocations {
		return c.fail(from, errCapacity)
	}
	p := c.appointments[r.identity.Appointment]
	if p == nil {
		p = &appointment{
			name:     r.identity.Appointment,
			relayed:  map[netip.AddrPort]*allocation{},
			seats:    map[string]int{},
			released: map[netip.AddrPort]time.Time{},
		}
	}
	if p.seats[r.identity.Seat] >= c.config.MaxPerSeat {
		return c.fail(from, errQuota)
	}
	relayed, ok := p.freeAddress(c.now, ip, r.evenPort)
	if !ok {
		return c.fail(from, errCapacity)
	}
	a := &allocation{
		tuple:       from,
		username:    r.username,
		appointment: p,
		seat:        r.identity.Seat,
		relayed:     relayed,
		created:     c.now,
		transaction: r.id,
		permissions: map[netip.Addr]time.Time{},
		channels:    map[uint16]*channel{},
		byPeer:      map[netip.AddrPort]*channel{},
	}
	a.granted = c.lifetime(a)
	a.expires = c.now.Add(a.granted)
	c.allocations[from] = a
	c.appointments[p.name] = p
	p.relayed[relayed] = a
	p.seats[a.seat]++
	heap.Push(&c.expiries, a)
	return c.allocated(from, a)
}

// allocated answers a successful Allocate, the first time and again.
func (c *Core) allocated(from FiveTuple, a *allocation) []byte {
	c.begin(stun.ClassSuccessResponse)
	c.addAddress(stun.AttrXORRelayedAddress, a.relayed)
	c.addAddress(stun.AttrXORMappedAddress, from.Client)
	c.addLifetime(a.granted)
	return c.finish(from)
}

// refresh changes the expiry of an allocation (RFC 8656, section 8.2).
func (c *Core) refresh(from FiveTuple, held *allocation) []byte {
	r := &c.request
	if r.family != 0 && (r.family == familyIPv6) != held.relayed.Addr().Is6() {
		return c.fail(from, errFamilyMismatch)
	}
	var lifetime time.Duration
	if r.hasLifetime && r.lifetime == 0 {
		c.end(c.now, held)
	} else {
		lifetime = c.lifetime(held)
		held.expires = c.now.Add(lifetime)
		heap.Fix(&c.expiries, held.index)
	}
	c.begin(stun.ClassSuccessResponse)
	c.addLifetime(lifetime)
	return c.finish(from)
}

// lifetime is what the request in work gets: what it asks for, within bounds,
// and never beyond the allocation's longest life.
func (c *Core) lifetime(a *allocation) time.Duration {
	lifetime := DefaultLifetime
	if c.request.hasLifetime {
		wish := time.Duration(c.request.lifetime) * time.Second
		lifetime = min(max(wish, DefaultLifetime), MaxLifetime)
	}
	left := a.created.Add(c.config.MaxSession).Sub(c.now)
	return min(lifetime, left).Truncate(time.Second)
}
