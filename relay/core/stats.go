package core

import (
	"maps"
	"net/netip"
	"sync/atomic"

	"github.com/pion/stun/v3"
)

// Stats are what a core holds, and what it has done since it was made.
type Stats struct {
	Live            [Relayed]int              // allocations, by their clients' transport
	Granted         [Relayed]uint64           // allocations that were ever made, but for those of tests
	Requests        map[stun.Method]uint64    // what was looked at, Send indications too
	Answers         map[stun.ErrorCode]uint64 // what was answered; zero: success
	Authentications [authCount]uint64
	Limits          [limitCount]uint64
	LastLimited     [limitCount]netip.Addr // the client that was refused last
	Drops           [dropCount]uint64
}

// Stats returns a copy. Whoever calls Handle calls it.
func (c *Core) Stats() Stats {
	s := c.stats
	s.Requests, s.Answers = maps.Clone(s.Requests), maps.Clone(s.Answers)
	for i := range s.Drops {
		s.Drops[i] = c.dropped[i].Load()
	}
	return s
}

// limited counts what a limit refuses.
func (c *Core) limited(from FiveTuple, limit Limit) {
	c.stats.Limits[limit]++
	c.stats.LastLimited[limit] = from.Client.Addr()
}

// newStats has every method and every error from the start: a series that appears
// with its first event hides it from who looks for increases.
func newStats() Stats {
	s := Stats{Requests: map[stun.Method]uint64{stun.MethodBinding: 0, stun.MethodSend: 0}, Answers: map[stun.ErrorCode]uint64{0: 0}}
	for method := range methods {
		s.Requests[method] = 0
	}
	for _, f := range failures {
		s.Answers[f.code] = 0
	}
	return s
}

// Authentication is what came of the credential of a request.
type Authentication uint8

// How a credential can be. AuthExpired and AuthRevoked are right ones that make no
// allocation any more; for other requests they are AuthOK.
const (
	AuthOK        Authentication = iota
	AuthMissing                  // every client's first request (401)
	AuthMalformed                // an attribute is missing or cannot be so (400)
	AuthStale                    // the nonce is over, or another client's (438)
	AuthUnknown                  // the username or realm was never given out (401)
	AuthWrong                    // the password is not the username's (401)
	AuthExpired                  // (401)
	AuthRevoked                  // (401)
	AuthTooMany                  // the seat asks too often: no answer
	authCount
)

func (a Authentication) String() string {
	return [...]string{"ok", "missing", "malformed", "stale_nonce", "unknown_user", "wrong_password", "expired", "revoked", "too_many"}[a]
}

// Limit is a bound that refuses something when it is reached. Those of the media are
// among the Drops.
type Limit uint8

// The limits, named as in the configuration where they stand there.
const (
	LimitPerSeat         Limit = iota // 486
	LimitPerAppointment               // 486
	LimitPerPrefix                    // 508
	LimitTotal                        // 508
	LimitPorts                        // no relayed address is free: 508
	LimitPeers                        // permissions and channels of an allocation: 508
	LimitUnauthenticated              // no answer
	LimitRequests                     // of a seat: no answer
	limitCount
)

func (l Limit) String() string {
	return [...]string{
		"max_per_seat", "max_per_appointment", "max_per_prefix", "max_allocations",
		"ports", "peers_per_allocation", "unauthenticated_rate", "request_rate",
	}[l]
}

// Drop is why a packet of media was not forwarded.
type Drop uint8

// The reasons.
const (
	DropMalformed       Drop = iota // not a whole message, or too long
	DropNoRoute                     // there is no allocation, channel or permission for it
	DropAllocationRate              // Limits.AllocationRate, of one allocation
	DropAppointmentRate             // appointmentShare times that, of one appointment
	DropTotalRate                   // Limits.TotalRate
	dropCount
)

func (d Drop) String() string {
	return [...]string{"malformed", "no_route", "allocation_rate", "appointment_rate", "total_rate"}[d]
}

// dropCounts fill a cache line of their own: what is dropped in a flood does not slow
// down those who read meanwhile.
type dropCounts [8]atomic.Uint64

// drop counts a packet and returns false, for it does not pass.
func (c *Core) drop(why Drop) bool {
	c.dropped[why].Add(1)
	return false
}
