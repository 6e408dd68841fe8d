package limit

import (
	"hash/maphash"
	"net/netip"
	"time"

	"praxisrelay/config/network"
	"praxisrelay/signal/appointment"
)

// Guesses limits the codes that networks show, and remembers which were right there.
//
// A code is judged in one step, after its lookup: either its result is disclosed, or it was one too
// many, right or wrong. So simultaneous guesses get no more results than successive ones, and right
// codes cost nothing: any crowd behind one address is let in.
//
// A limited network learns nothing about any code, the right ones included, except those
// that were right from there before: a neighbor's wrong codes keep nobody from coming back.
type Guesses struct {
	*Networks
	seed  maphash.Seed
	known recent[struct{}] // networks with codes that were right there
	asked recent[Bucket]   // these networks: how often they were wrong while limited
}

// maxKnown bounds what is remembered, both codes and networks.
const maxKnown = 1 << 16

// A limited network may ask a hundred times, then once a second, whether a code was right there;
// otherwise this would be a way to guess a neighbor's codes.
const (
	askBurst    = 100
	askInterval = time.Second
)

func NewGuesses() *Guesses {
	return &Guesses{Networks: NewNetworks(), seed: maphash.MakeSeed()}
}

// Wait returns how long a network must wait until this code is worth looking up.
func (g *Guesses) Wait(now time.Time, client netip.Addr, lookup appointment.Lookup) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	wait := g.waitLocked(now, client)
	if wait > 0 && g.knowsLocked(now, client, lookup) {
		return 0
	}
	return wait
}

// Judge records whether a code is right. If it returns a wait, the result must not be disclosed.
func (g *Guesses) Judge(now time.Time, client netip.Addr, lookup appointment.Lookup, right bool) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	wait := g.waitLocked(now, client)
	switch {
	case wait > 0 && !g.knowsLocked(now, client, lookup):
		return wait
	case right:
		g.known.add(g.print(client, lookup))
		g.asked.add(g.print(client, appointment.Lookup{}))
	case wait == 0:
		g.noteLocked(now, client)
	}
	return 0
}

// knowsLocked reports whether a code was right from a network before.
func (g *Guesses) knowsLocked(now time.Time, client netip.Addr, lookup appointment.Lookup) bool {
	asked := g.asked.get(g.print(client, appointment.Lookup{}))
	if asked == nil || asked.Wait(now, askInterval, askBurst) > 0 {
		return false
	}
	if g.known.get(g.print(client, lookup)) != nil {
		return true
	}
	asked.Add(now, askInterval)
	return false
}

// print returns the fingerprint of a network and a code; with a zero code, of the network.
func (g *Guesses) print(client netip.Addr, lookup appointment.Lookup) uint64 {
	type known struct {
		network netip.Prefix
		lookup  appointment.Lookup
	}
	return maphash.Comparable(g.seed, known{network.Of(client), lookup})
}

// recent holds a value for each of the last maxKnown fingerprints. The oldest makes room.
type recent[V any] struct {
	values map[uint64]*V
	order  []uint64 // a ring once it is full
	oldest int
}

// add gives a new fingerprint the zero value.
func (r *recent[V]) add(print uint64) {
	if r.values[print] != nil {
		return
	}
	if r.values == nil {
		r.values = map[uint64]*V{}
	}
	r.values[print] = new(V)
	if len(r.order) < maxKnown {
		r.order = append(r.order, print)
		return
	}
	delete(r.values, r.order[r.oldest])
	r.order[r.oldest] = print
	r.oldest = (r.oldest + 1) % maxKnown
}

func (r *recent[V]) get(print uint64) *V { return r.values[print] }
