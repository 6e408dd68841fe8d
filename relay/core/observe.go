package core

import (
	"time"

	"github.com/pion/stun/v3"
)

// Event describes what happened to a seat's client, to explain later why a call failed. There are
// no events for the packet path, nor for clients that name no appointment.
type Event struct {
	Kind              EventKind
	Appointment, Seat string
	Client            FiveTuple
	// Proven means that the credential was right. Otherwise anybody may have named the seat.
	Proven bool
	Method stun.Method    // of the refused request
	Code   stun.ErrorCode // of its answer
	// Reason of a refusal is the Limit or the Authentication result that caused it, if one did. The
	// reason of an end is one of the Ended constants.
	Reason  string
	Traffic Traffic // Ended
}

// EventKind is the kind of an Event.
type EventKind uint8

// The kinds.
const (
	Granted   EventKind = iota // an allocation
	Permitted                  // a partner's relayed address, for the first time
	Refused
	Ended // an allocation
)

// Reasons for the end of an allocation.
const (
	EndedByClient  = "released"     // Refresh with a lifetime of zero
	EndedByTime    = "expired"      // it was not refreshed
	EndedByLimit   = "max_session"  // it reached its longest life
	EndedByStream  = "stream_lost"  // its connection was lost
	EndedByRevoke  = "revoked"      // see Core.Revoke
	EndedForOther  = "made_room"    // it was idle, and its seat needed another
	EndedByTheStop = "server_stops" // see Core.Close
)

// Draining is the reason of a refusal while no call may begin; see Core.Drain.
const Draining = "draining"

// Held is a live allocation.
type Held struct {
	Seat    string
	Client  FiveTuple
	Created time.Time
	// Permitted means that it may reach another client's relayed address.
	Permitted bool
	Traffic   Traffic
}

// Held returns the live allocations of an appointment.
func (c *Core) Held(now time.Time, appointment string) (list []Held) {
	p := c.appointments[appointment]
	if p == nil {
		return nil
	}
	for _, a := range p.members {
		h := Held{Seat: a.seat, Client: a.tuple, Created: a.created, Traffic: a.traffic()}
		for _, permission := range a.permissions {
			h.Permitted = h.Permitted || now.Before(permission.until) && a.partnerAt(permission.peer)
		}
		list = append(list, h)
	}
	return list
}

// observe reports what happened to an allocation.
func (c *Core) observe(kind EventKind, a *allocation, reason string) {
	if c.config.Observe == nil {
		return
	}
	e := Event{
		Kind: kind, Appointment: a.appointment.name, Seat: a.seat, Client: a.tuple,
		Proven: true, Reason: reason,
	}
	if kind == Ended {
		e.Traffic = a.traffic()
	}
	c.config.Observe(e)
}

// observeRefusal reports an error that is about to be answered, if the request names its seat.
func (c *Core) observeRefusal(from FiveTuple, f failure, reason string) {
	r := &c.request
	if c.config.Observe == nil {
		return
	}
	id, proven := r.identity, r.key != nil
	if !proven {
		if r.authentication != AuthStale && r.authentication != AuthWrong {
			return
		}
		name, ok := c.config.Keys.Open(r.username)
		if !ok {
			return
		}
		id = name.Identity
	}
	if f.code == stun.CodeUnauthorized {
		reason = r.authentication.String()
	} else if f == errDraining {
		reason = Draining
	}
	c.config.Observe(Event{
		Kind: Refused, Appointment: id.Appointment, Seat: id.Seat, Client: from,
		Proven: proven, Method: r.kind.Method, Code: f.code, Reason: reason,
	})
}
