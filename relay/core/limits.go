package core

import (
	"errors"
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"

	"praxisrelay/config/network"
	"praxisrelay/relay/credential"
)

// Limits keep one client, appointment or network from taking what others need. All must be above
// zero, except the rates, where zero means no limit.
type Limits struct {
	// Live allocations. Beyond PerSeat, the seat's longest idle allocation makes room. Beyond the
	// others there is an error, 508: for a source prefix (see [network.Of]) and for the total. An IPv6 site may hold as many as ten prefixes, but no more than are free
	// for others.
	PerSeat, PerPrefix, Total int
	// AllocationRate and TotalRate are bytes of media per second. The excess is dropped, large
	// packets before small ones, so that a call over its limit loses picture quality before sound.
	AllocationRate, TotalRate int
	// Unauthenticated is how many answers per second a source prefix gets over UDP without
	// credentials, plus one for every allocation it holds; an IPv6 site gets ten times that. Bursts
	// may draw ten seconds' worth.
	Unauthenticated int
}

// Limits of a test: an allocation for each transport to be tried, and a call's worth of media in
// bytes per second.
const (
	testAllocations = 12
	testRate        = 500_000
)

// perSeat returns how many allocations a seat may hold.
func (l Limits) perSeat(seat string) int {
	if seat == credential.Test {
		return min(l.PerSeat, testAllocations)
	}
	return l.PerSeat
}

// rates are the limits on media, which Forward reads while others change them.
type rates struct{ allocation, total atomic.Int64 }

// SetLimits replaces the limits, or changes nothing if one is out of bounds. They apply to new
// requests, the rates to all media at once. No allocation ends because of them, and each keeps the
// longest life that it began with.
func (c *Core) SetLimits(l Limits, maxSession time.Duration) error {
	if maxSession <= 0 {
		return errors.New("the relay needs a limit for sessions")
	}
	if min(l.PerSeat, l.PerPrefix, l.Total, l.Unauthenticated) <= 0 ||
		min(l.AllocationRate, l.TotalRate) < 0 {
		return errors.New("the relay needs limits above zero")
	}
	c.config.Limits, c.config.MaxSession = l, maxSession
	c.rates.allocation.Store(int64(l.AllocationRate))
	c.rates.total.Store(int64(l.TotalRate))
	return nil
}

// MaxAllocations returns how many allocations may live at once.
func (c *Core) MaxAllocations() int { return c.config.Limits.Total }

// full reports whether a client's network or site has reached its limit of allocations.
func (c *Core) full(client netip.Addr) bool {
	held, ofSite := c.prefixes[network.Of(client)], c.prefixes[network.Site(client)]
	l := c.config.Limits
	return held >= l.PerPrefix || ofSite >= network.SiteFactor*l.PerPrefix ||
		ofSite > held && ofSite >= l.Total-len(c.allocations)
}

// count adds to the allocations of a client's network and site.
func (c *Core) count(client netip.Addr, n int) {
	for _, prefix := range [...]netip.Prefix{network.Of(client), network.Site(client)} {
		if !prefix.IsValid() {
			continue
		}
		if c.prefixes[prefix] += n; c.prefixes[prefix] == 0 {
			delete(c.prefixes, prefix)
		}
	}
}

// bucket is a token bucket, kept as the time at which it is full again (GCRA).
type bucket int64 // Unix nanoseconds

// take draws cost from a bucket of the given depth, if that much is left.
func (b *bucket) take(now int64, cost, depth time.Duration) bool {
	if !b.holds(now, cost, depth) {
		return false
	}
	*b = bucket(fullAt(int64(*b), now, depth) + int64(cost))
	return true
}

// holds reports whether take would draw cost.
func (b *bucket) holds(now int64, cost, depth time.Duration) bool {
	return fullAt(int64(*b), now, depth)+int64(cost)-now <= int64(depth)
}

// fullAt clamps a refill time that is past, or further ahead than depth allows (the clock was set
// back), to now.
func fullAt(at, now int64, depth time.Duration) int64 {
	const slack = 5 * int64(time.Second) // concurrent callers differ in their time
	if at < now || at-now > int64(depth)+slack {
		return now
	}
	return at
}

// budgets keeps a budget for every key in a table of fixed size, so that a flood from a million
// sources uses no more memory. Each key shares one bucket in every row, chosen by a keyed hash so
// that outsiders cannot aim at a victim. Of these, the bucket that others draw on least counts.
type budgets[K comparable] struct {
	seed    maphash.Seed
	buckets [budgetRows << budgetBits]bucket
}

const budgetRows, budgetBits = 4, 15

// budgetDepth is how much of its rate a key may draw at once: browsers come in bursts, when
// consultations begin on the hour.
const budgetDepth = 10 * time.Second

func newBudgets[K comparable]() *budgets[K] { return &budgets[K]{seed: maphash.MakeSeed()} }

// take draws one from a key's budget, if it has one left.
func (b *budgets[K]) take(now time.Time, key K, perSecond int) bool {
	row, full, ok := b.draw(now, key, perSecond)
	for _, bucket := range row {
		if ok && fullAt(int64(*bucket), now.UnixNano(), budgetDepth) < int64(full) {
			*bucket = full // buckets already drawn on further were other keys' doing
		}
	}
	return ok
}

// holds reports whether take would draw one.
func (b *budgets[K]) holds(now time.Time, key K, perSecond int) bool {
	_, _, ok := b.draw(now, key, perSecond)
	return ok
}

// draw returns a key's buckets, the value of the least used one after the draw, and whether it has
// room.
func (b *budgets[K]) draw(now time.Time, key K, perSecond int) (
	row [budgetRows]*bucket, full bucket, ok bool,
) {
	hash := maphash.Comparable(b.seed, key)
	for i := range row {
		row[i] = &b.buckets[uint64(i)<<budgetBits|hash>>(i*budgetBits)%(1<<budgetBits)]
		if at := bucket(fullAt(int64(*row[i]), now.UnixNano(), budgetDepth)); i == 0 || at < full {
			full = at
		}
	}
	ok = full.take(now.UnixNano(), time.Second/time.Duration(perSecond), budgetDepth)
	return row, full, ok
}

// A client with an allocation has its own budget for refusals: it needs one 438 an hour, and must
// get it even while somebody forges requests from its network.
const (
	refusalInterval = time.Second
	refusalDepth    = 10 * time.Second
)

// affordable draws on the budget for unauthenticated answers. The budget protects third parties
// whose address was forged, so it applies to UDP only.
func (c *Core) affordable(from FiveTuple, held *allocation) bool {
	affordable := c.affords(from, held)
	if !affordable {
		c.limited(from, LimitUnauthenticated)
	}
	return affordable
}

func (c *Core) affords(from FiveTuple, held *allocation) bool {
	switch {
	case from.Transport != UDP:
		return true
	case held != nil:
		return held.refusals.take(c.now.UnixNano(), refusalInterval, refusalDepth)
	}
	own, site := network.Of(from.Client.Addr()), network.Site(from.Client.Addr())
	rate := c.config.Limits.Unauthenticated
	ofSite := network.SiteFactor*rate + c.prefixes[site]
	if site.IsValid() && !c.strangers.holds(c.now, site, ofSite) ||
		!c.strangers.take(c.now, own, rate+c.prefixes[own]) {
		return false
	}
	return !site.IsValid() || c.strangers.take(c.now, site, ofSite)
}

// meter shapes media and records when it last flowed. It is safe for concurrent use.
type meter struct {
	maxRate int          // bytes per second of a test; 0: the limits apply. It never changes
	full    atomic.Int64 // like bucket
	last    atomic.Int64 // Unix nanoseconds, to the second
	counts
}

// A meter holds half a second of its rate, and another half second for small packets: sound and
// connectivity checks pass where video has to give way.
const (
	meterDepth  = 500 * time.Millisecond
	smallPacket = 300 // bytes
)

// note records that media flows.
func (m *meter) note(now int64) {
	if now-m.last.Load() >= int64(time.Second) {
		m.last.Store(now)
	}
}

// take reports whether size bytes may pass at rate bytes per second.
func (m *meter) take(now int64, size, rate int) bool {
	m.note(now)
	if rate == 0 {
		return true
	}
	cost, depth := int64(size)*int64(time.Second)/int64(rate), int64(meterDepth)
	if size <= smallPacket {
		depth *= 2
	}
	for {
		before := m.full.Load()
		full := fullAt(before, now, 2*meterDepth)
		if full+cost-now > depth {
			return false
		}
		if m.full.CompareAndSwap(before, full+cost) {
			return true
		}
	}
}

// leftover is how long an allocation must have been idle before it makes room for another of its
// seat. The pair a call uses is checked at least every six seconds (RFC 7675, section 5.1); pairs
// left over from an ICE restart are checked too, but far less often.
const leftover = 10 * time.Second

// makeRoom reports whether a seat may hold one more allocation. If the seat is at its limit, it
// first ends the seat's longest idle one.
func (c *Core) makeRoom(p *appointment, seat string) bool {
	held := 0
	var idlest *allocation
	var since int64
	for _, a := range p.members {
		if a.seat != seat {
			continue
		}
		held++
		last := max(a.sent.last.Load(), a.received.last.Load(), a.created.UnixNano())
		if idlest == nil || last < since {
			idlest, since = a, last
		}
	}
	if held < c.config.Limits.perSeat(seat) {
		return true
	}
	if c.now.UnixNano()-since < int64(leftover) {
		return false
	}
	c.end(c.now, idlest, EndedForOther)
	return true
}
