package core

import (
	"container/heap"
	"crypto/rand"
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/pion/stun/v3"
)

// allocation is RFC 8656's: a client's claim on a relayed address.
type allocation struct {
	tuple       FiveTuple
	username    string
	appointment *appointment
	seat        string
	relayed     netip.AddrPort

	created time.Time
	expires time.Time
	index   int // in the heap of expiries

	// A retransmitted Allocate is answered as the first one was.
	transaction [stun.TransactionIDSize]byte
	granted     time.Duration

	permissions map[netip.Addr]time.Time // peer -> expiry
	channels    map[uint16]*channel
	byPeer      map[netip.AddrPort]*channel
}

// channel is a number that stands for a peer until expires.
type channel struct {
	number  uint16
	peer    netip.AddrPort
	expires time.Time
}

// appointment is what the allocations of one consultation share: the set of
// relayed addresses among which they may talk.
type appointment struct {
	name     string
	relayed  map[netip.AddrPort]*allocation
	seats    map[string]int // live allocations
	released map[netip.AddrPort]time.Time
}

// Relayed ports are RFC 8656's dynamic ones (section 7.2).
const (
	firstPort = 49152
	ports     = 65536 - firstPort
)

// releasedFor keeps a relayed address from being given again while somebody's
// channel may still point to it.
const releasedFor = channelLifetime + time.Minute

// freeAddress finds a relayed address that nobody holds or held lately: from a
// random start, every port once.
func (p *appointment) freeAddress(now time.Time, ip netip.Addr, even bool) (netip.AddrPort, bool) {
	var random [2]byte
	rand.Read(random[:])
	start := int(binary.BigEndian.Uint16(random[:]))
	for i := range ports {
		addr := netip.AddrPortFrom(ip, uint16(firstPort+(start+i)%ports))
		if even && addr.Port()%2 != 0 || p.relayed[addr] != nil {
			continue
		}
		if until, ok := p.released[addr]; ok && now.Before(until) {
			continue
		}
		delete(p.released, addr)
		return addr, true
	}
	return netip.AddrPort{}, false
}

// end removes an allocation and everything that leads to it or from it.
func (c *Core) end(now time.Time, a *allocation) {
	for _, ch := range a.channels {
		c.routes.Delete(channelKey{a.tuple, ch.number})
	}
	p := a.appointment
	delete(p.relayed, a.relayed)
	c.rerouteTowards(p, a.relayed)
	p.released[a.relayed] = now.Add(releasedFor)
	if p.seats[a.seat]--; p.seats[a.seat] == 0 {
		delete(p.seats, a.seat)
	}
	if len(p.relayed) == 0 {
		delete(c.appointments, p.name)
	}
	delete(c.allocations, a.tuple)
	heap.Remove(&c.expiries, a.index)
}

// expire ends every allocation whose time is over.
func (c *Core) expire(now time.Time) {
	for len(c.expiries) > 0 && !now.Before(c.expiries[0].expires) {
		c.end(now, c.expiries[0])
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
