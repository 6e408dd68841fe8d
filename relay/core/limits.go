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

// Limits keep one client, one appointment or one network from taking what others
// need. All are above zero, but for the rates, where zero is no limit.
type Limits struct {
	// Live allocations. Beyond PerSeat the seat's longest idle one makes room;
	// beyond the others there is an error: 486 for the appointment, 508 for a
	// source prefix (see [network.Of]) and in all. An IPv6 site has the share of
	// ten prefixes, but no more than are free for others.
	PerSeat, PerAppointment, PerPrefix, Total int
	// AllocationRate and TotalRate are bytes of media per second. What is above
	// is dropped, large packets before small ones, so that a call which sends
	// too much loses its picture's quality before its sound.
	AllocationRate, TotalRate int
	// Unauthenticated is how many answers per second a source prefix gets over
	// UDP without credentials, and one more for every allocation it holds; an
	// IPv6 site gets ten times that. Ten seconds' worth may be drawn at once.
	Unauthenticated int
}

// What a test may hold at once, and carry in bytes per second: an allocation for each
// way in, and a call's worth of media.
const (
	testAllocations = 12
	testRate        = 500_000
)

// perSeat is how many allocations a seat may hold.
func (l Limits) perSeat(seat string) int {
	if seat == credential.Test {
		return min(l.PerSeat, testAllocations)
	}
	return l.PerSeat
}

// rates are the limits of media, which Forward reads while others change them.
type rates struct{ allocation, total atomic.Int64 }

// SetLimits takes other limits, or changes nothing where one is out of bounds. They
// hold for what is asked for from now on, the rates at once: no allocation ends for
// them, and each keeps the longest life that it began with.
func (c *Core) SetLimits(l Limits, maxSession time.Duration) error {
	if maxSession <= 0 {
		return errors.New("the relay needs a limit for sessions")
	}
	if min(l.PerSeat, l.PerAppointment, l.PerPrefix, l.Total, l.Unauthenticated) <= 0 || min(l.AllocationRate, l.TotalRate) < 0 {
		return errors.New("the relay needs limits above zero")
	}
	c.config.Limits, c.config.MaxSession = l, maxSession
	c.rates.allocation.Store(int64(l.AllocationRate))
	c.rates.total.Store(int64(l.TotalRate))
	return nil
}

// MaxAllocations is how many may live.
func (c *Core) MaxAllocations() int { return c.config.Limits.Total }

// full reports whether a client's network or site holds as many allocations as it may.
func (c *Core) full(client netip.Addr) bool {
	held, ofSite, l := c.prefixes[network.Of(client)], c.prefixes[network.Site(client)], c.config.Limits
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

// take draws cost from a bucket that holds depth, unless that is too much.
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

// fullAt is when what is full again at a time is so. A clock that was set back has left
// times behind which lie farther ahead than any depth: nobody waits for these.
func fullAt(at, now int64, depth time.Duration) int64 {
	const slack = 5 * int64(time.Second) // concurrent callers differ in their time
	if at < now || at-now > int64(depth)+slack {
		return now
	}
	return at
}

// budgets has a budget for every source prefix, or seat, in a table of a fixed size: a
// flood from a million sources grows nothing. Each key has a bucket in every row, shared by
// a keyed hash, which nobody outside can aim, and the one that others draw on least counts.
type budgets[K comparable] struct {
	seed    maphash.Seed
	buckets [budgetRows << budgetBits]bucket
}

const budgetRows, budgetBits = 4, 15

// budgetDepth is how much of its rate may be drawn at once: browsers ask in bursts,
// when consultations begin at the full hour.
const budgetDepth = 10 * time.Second

func newBudgets[K comparable]() *budgets[K] { return &budgets[K]{seed: maphash.MakeSeed()} }

// take draws one from a key's budget, unless that is too much.
func (b *budgets[K]) take(now time.Time, key K, perSecond int) bool {
	row, full, ok := b.draw(now, key, perSecond)
	for _, bucket := range row {
		if ok && fullAt(int64(*bucket), now.UnixNano(), budgetDepth) < int64(full) {
			*bucket = full // the others are emptier: that was somebody else
		}
	}
	return ok
}

// holds reports whether take would draw one.
func (b *budgets[K]) holds(now time.Time, key K, perSecond int) bool {
	_, _, ok := b.draw(now, key, perSecond)
	return ok
}

// draw returns a key's buckets, what its fullest one would be, and whether that has room.
func (b *budgets[K]) draw(now time.Time, key K, perSecond int) (row [budgetRows]*bucket, full bucket, ok bool) {
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

// A client with an allocation has a budget of its own for refusals: it needs one 438
// an hour, and must get that while somebody forges requests from its network.
const (
	refusalInterval = time.Second
	refusalDepth    = 10 * time.Second
)

// affordable draws on the budget for unauthenticated answers. It guards third
// parties whose address was forged, so only UDP has one.
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
	if site.IsValid() && !c.strangers.holds(c.now, site, ofSite) || !c.strangers.take(c.now, own, rate+c.prefixes[own]) {
		return false
	}
	return !site.IsValid() || c.strangers.take(c.now, site, ofSite)
}

// meter shapes media and notes when there last was some. Any goroutine may use it.
type meter struct {
	most int          // bytes per second of a test; 0: as the limits say. It does not change
	full atomic.Int64 // as bucket
	last atomic.Int64 // Unix nanoseconds, to the second
	counts
}

// A meter holds half a second of its rate, and another half for small packets:
// sound and connectivity checks pass where video has to give way.
const (
	meterDepth  = 500 * time.Millisecond
	smallPacket = 300 // bytes
)

// note notes that there is media.
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

// leftover is how long an allocation must have carried nothing to make room for another
// one of its seat. What a call uses is checked every six seconds at least (RFC 7675,
// section 5.1); what an ICE restart left behind is so too, but far less often.
const leftover = 10 * time.Second

// makeRoom ends the allocation of a seat that has been idle for longest, if the
// seat has as many as it may, and reports whether there is room then.
func (c *Core) makeRoom(p *appointment, seat string) bool {
	held := 0
	var idlest *allocation
	var since int64
	for _, a := range p.members {
		if a.seat != seat {
			continue
		}
		held++
		if last := max(a.sent.last.Load(), a.received.last.Load(), a.created.UnixNano()); idlest == nil || last < since {
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
