package core

import (
	"maps"
	"net/netip"
	"sync/atomic"

	"github.com/pion/stun/v3"
)

// Stats are the current contents of a core, and counts since it was made.
type Stats struct {
	Live            [Relayed]int              // allocations, by client transport
	Granted         [Relayed]uint64           // allocations ever made, except those of tests
	Requests        map[stun.Method]uint64    // handled, including Send indications
	Answers         map[stun.ErrorCode]uint64 // sent; zero: success
	Authentications [authCount]uint64
	Limits          [limitCount]uint64
	LastLimited     [limitCount]netip.Addr // the client last refused
	Drops           [dropCount]uint64
}

// Stats returns a copy. Like Handle, it must not be called concurrently.
func (c *Core) Stats() Stats {
	s := c.stats
	s.Requests, s.Answers = maps.Clone(s.Requests), maps.Clone(s.Answers)
	for i := range s.Drops {
		s.Drops[i] = c.dropped[i].Load()
	}
	return s
}

// limited counts a refusal by a limit.
func (c *Core) limited(from FiveTuple, limit Limit) {
	c.stats.Limits[limit]++
	c.stats.LastLimited[limit] = from.Client.Addr()
}

// newStats starts with every method and every error: a series that first appears with its first
// event hides that event from queries for increases.
func newStats() Stats {
	s := Stats{
		Requests: map[stun.Method]uint64{stun.MethodBinding: 0, stun.MethodSend: 0},
		Answers:  map[stun.ErrorCode]uint64{0: 0},
	}
	for method := range methods {
		s.Requests[method] = 0
	}
	for _, f := range failures {
		s.Answers[f.code] = 0
	}
	return s
}

// Authentication is the result of checking a request's credential.
type Authentication uint8

// Results of authentication. AuthExpired and AuthRevoked are for correct credentials that may no
// longer make an allocation; for other requests these give AuthOK.
const (
	AuthOK        Authentication = iota
	AuthMissing                  // every client's first request (401)
	AuthMalformed                // an attribute is missing or malformed (400)
	AuthStale                    // the nonce is expired, or another client's (438)
	AuthUnknown                  // the username or realm was never issued (401)
	AuthWrong                    // the password does not match the username (401)
	AuthExpired                  // (401)
	AuthRevoked                  // (401)
	AuthTooMany                  // the seat sends too many requests: no answer
	authCount
)

func (a Authentication) String() string {
	return [...]string{
		"ok", "missing", "malformed", "stale_nonce", "unknown_user", "wrong_password",
		"expired", "revoked", "too_many",
	}[a]
}

// Limit is a bound that refuses requests once it is reached. Limits on media are among the Drops.
type Limit uint8

// The limits, with the names of the configuration where it has them.
const (
	LimitPerSeat         Limit = iota // 486
	LimitPerPrefix                    // 508
	LimitTotal                        // 508
	LimitPorts                        // no free relayed address: 508
	LimitPeers                        // permissions and channels of an allocation: 508
	LimitUnauthenticated              // no answer
	LimitRequests                     // of a seat: no answer
	limitCount
)

func (l Limit) String() string {
	return [...]string{
		"max_per_seat", "max_per_prefix", "max_allocations",
		"ports", "peers_per_allocation", "unauthenticated_rate", "request_rate",
	}[l]
}

// Drop is the reason a media packet was not forwarded.
type Drop uint8

// The reasons.
const (
	DropMalformed       Drop = iota // not a complete message, or too long
	DropNoRoute                     // no allocation, channel or permission for it
	DropAllocationRate              // Limits.AllocationRate of one allocation
	DropAppointmentRate             // appointmentShare times that for one appointment
	DropTotalRate                   // Limits.TotalRate
	dropCount
)

func (d Drop) String() string {
	return [...]string{"malformed", "no_route", "allocation_rate", "appointment_rate", "total_rate"}[d]
}

// dropCounts fill their own cache line: counting drops during a flood must not slow down readers of
// neighboring fields.
type dropCounts [8]atomic.Uint64

// drop counts a dropped packet. It always returns false, for use in conditions.
func (c *Core) drop(why Drop) bool {
	c.dropped[why].Add(1)
	return false
}
