package core

import (
	"container/heap"
	"net/netip"
	"time"

	"github.com/pion/stun/v3"

	"praxisrelay/relay/credential"
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
	if r.authentication != AuthOK {
		return c.fail(from, errExpired)
	}
	if !c.Admits(c.now, r.identity.Appointment) {
		return c.fail(from, errDraining)
	}
	switch {
	case !r.hasTransport, r.reservation && (r.evenPort || r.family != 0),
		r.additional != 0 && (r.additional != familyIPv6 || r.family != 0 || r.reserve || r.reservation):
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
	p := c.appointment(r.identity.Appointment)
	switch {
	case !c.makeRoom(p, r.identity.Seat):
		return c.refuse(from, LimitPerSeat, errQuota)
	case len(c.allocations) >= c.config.Limits.Total:
		return c.refuse(from, LimitTotal, errCapacity)
	case c.full(from.Client.Addr()):
		return c.refuse(from, LimitPerPrefix, errCapacity)
	}
	relayed, ok := c.freeAddress(p.space, ip)
	if !ok {
		return c.refuse(from, LimitPorts, errCapacity)
	}
	a := &allocation{
		tuple:       from,
		username:    r.username,
		appointment: p,
		seat:        r.identity.Seat,
		generation:  r.identity.Generation,
		relayed:     relayed,
		created:     c.now,
		ends:        c.now.Add(c.longest(r.identity.Seat)),
		transaction: r.id,
	}
	a.granted = c.lifetime(a)
	a.expires = c.now.Add(a.granted)
	c.hold(a)
	if a.seat != credential.Test {
		c.stats.Granted[from.Transport]++
	}
	c.observe(Granted, a, "")
	return c.allocated(from, a)
}

func (c *Core) freeAddress(s *space, ip netip.Addr) (netip.AddrPort, bool) {
	if open := c.config.Open; open != nil {
		return s.freeAddress(c.now, ip, open.FirstPort, open.LastPort, c.request.evenPort, open.Bind)
	}
	bind := func(netip.AddrPort) error { return nil }
	return s.freeAddress(c.now, ip, firstPort, lastPort, c.request.evenPort, bind)
}

// hold records a new allocation everywhere; end is its opposite.
func (c *Core) hold(a *allocation) {
	p := a.appointment
	if a.seat == credential.Test {
		a.sent.maxRate, a.received.maxRate = testRate, testRate
	}
	c.allocations[a.tuple] = a
	c.appointments[p.name] = p
	p.members = append(p.members, a)
	p.space.relayed[a.relayed] = a
	c.count(a.tuple.Client.Addr(), 1)
	heap.Push(&c.expiries, a)
	c.stats.Live[a.tuple.Transport]++
}

// allocated answers a successful Allocate, the first time and again.
func (c *Core) allocated(from FiveTuple, a *allocation) []byte {
	c.begin(stun.ClassSuccessResponse)
	c.addAddress(stun.AttrXORRelayedAddress, a.relayed)
	c.addAddress(stun.AttrXORMappedAddress, from.Client)
	c.addLifetime(a.granted)
	if c.request.additional != 0 {
		// Only one relayed address is allocated at a time (RFC 8656, section 7.2).
		code := errFamilyUnsupported.code
		c.answer.Add(attrAddressErrorCode, []byte{familyIPv6, 0, byte(code / 100), byte(code % 100)})
	}
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
		c.end(c.now, held, EndedByClient)
	} else {
		lifetime = c.lifetime(held)
		held.expires = c.now.Add(lifetime)
		heap.Fix(&c.expiries, held.index)
	}
	c.begin(stun.ClassSuccessResponse)
	c.addLifetime(lifetime)
	return c.finish(from)
}

// lifetime returns the lifetime to grant: the requested one within bounds, and never beyond the
// allocation's longest life.
func (c *Core) lifetime(a *allocation) time.Duration {
	lifetime := DefaultLifetime
	if c.request.hasLifetime {
		wish := time.Duration(c.request.lifetime) * time.Second
		lifetime = min(max(wish, DefaultLifetime), MaxLifetime)
	}
	return min(lifetime, a.ends.Sub(c.now)).Truncate(time.Second)
}

// longest returns the longest life of a seat's allocation.
func (c *Core) longest(seat string) time.Duration {
	if seat == credential.Test {
		return min(c.config.MaxSession, credential.TestLifetime)
	}
	return c.config.MaxSession
}
