package core

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"time"
)

// state is everything a client could notice, in a form that another process can read. It omits what
// is derived (routes, counts) or refills within seconds (budgets, meters). Its only secret is the
// key of the nonces.
type state struct {
	Nonces      []byte
	Allocations []allocationState
	Released    map[string][]releaseState // appointment, or "" for the open relay's
	Revoked     map[string]revocation     // appointment
}

type allocationState struct {
	Tuple                            FiveTuple
	Username, Appointment            string
	Seat                             string
	Generation                       int
	Relayed                          netip.AddrPort
	Created, Ends, Expires, LastUsed time.Time
	Transaction                      []byte
	Granted                          time.Duration
	Permissions                      []permissionState
	Channels                         []channelState
}

type permissionState struct {
	Peer  netip.Addr
	Until time.Time
}

type channelState struct {
	Number  uint16
	Peer    netip.AddrPort
	Expires time.Time
}

type releaseState struct {
	Addr  netip.AddrPort
	Until time.Time
}

// Save writes the state. A reader of it can forge nonces, but not credentials.
func (c *Core) Save(w io.Writer) error {
	s := state{Nonces: c.nonces.key[:], Released: map[string][]releaseState{}, Revoked: c.revoked}
	released := func(name string, space *space) {
		for _, r := range space.released {
			s.Released[name] = append(s.Released[name], releaseState{r.addr, r.until})
		}
	}
	for name, p := range c.appointments {
		if c.open == nil {
			released(name, p.space)
		}
		for _, a := range p.members {
			out := allocationState{
				Tuple: a.tuple, Username: a.username, Appointment: name,
				Seat: a.seat, Generation: a.generation, Relayed: a.relayed,
				Created: a.created, Ends: a.ends, Expires: a.expires,
				LastUsed:    time.Unix(0, max(a.sent.last.Load(), a.received.last.Load())),
				Transaction: a.transaction[:], Granted: a.granted,
			}
			for _, p := range a.permissions {
				out.Permissions = append(out.Permissions, permissionState{p.peer, p.until})
			}
			for _, ch := range a.channels {
				out.Channels = append(out.Channels, channelState{ch.number, ch.peer, ch.expires})
			}
			s.Allocations = append(s.Allocations, out)
		}
	}
	if c.open != nil {
		released("", c.open)
	}
	return json.NewEncoder(w).Encode(s)
}

// Restore fills an empty core from what Save wrote. In the open relay, an allocation whose socket
// cannot be bound again is left out.
func (c *Core) Restore(r io.Reader) error {
	if len(c.allocations) > 0 {
		return errors.New("the core already has allocations")
	}
	var s state
	if err := json.NewDecoder(r).Decode(&s); err != nil {
		return fmt.Errorf("the relay's state: %w", err)
	}
	if len(s.Nonces) != len(c.nonces.key) {
		return errors.New("the relay's state: the key of the nonces is missing")
	}
	copy(c.nonces.key[:], s.Nonces)
	maps.Copy(c.revoked, s.Revoked)
	for _, in := range s.Allocations {
		if c.config.Open != nil && c.config.Open.Bind(in.Relayed) != nil {
			continue
		}
		p := c.appointment(in.Appointment)
		a := &allocation{
			tuple: in.Tuple, username: in.Username, appointment: p,
			seat: in.Seat, generation: in.Generation, relayed: in.Relayed,
			created: in.Created, ends: in.Ends, expires: in.Expires, granted: in.Granted,
		}
		copy(a.transaction[:], in.Transaction)
		a.sent.last.Store(in.LastUsed.UnixNano())
		for _, permission := range in.Permissions {
			a.permit(permission.Peer, permission.Until)
		}
		for _, ch := range in.Channels {
			c.remember(&channel{a, ch.Number, ch.Peer, ch.Expires})
		}
		c.hold(a)
	}
	for name, list := range s.Released {
		space := c.open
		if p := c.appointments[name]; p != nil {
			space = p.space
		}
		for _, r := range list {
			if space != nil {
				space.released = append(space.released, release{r.Addr, r.Until})
			}
		}
	}
	for _, a := range c.allocations {
		for _, permission := range a.permissions {
			c.routeInbound(a, permission.peer, permission.until)
		}
		for _, ch := range a.channels {
			c.reroute(ch)
		}
	}
	return nil
}
