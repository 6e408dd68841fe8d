package core

import (
	"slices"

	"github.com/pion/stun/v3"
)

// Channel numbers. RFC 8656 ends at 0x4FFF, but clients of RFC 5766, coturn's among them, pick
// numbers up to 0x7FFF, and nothing else starts with these bits.
const (
	firstChannel = 0x4000
	lastChannel  = 0x7FFF
)

// channelBind binds a channel number to a peer or refreshes the binding, and with it the peer's
// permission (RFC 8656, section 12.2).
func (c *Core) channelBind(from FiveTuple, held *allocation) []byte {
	r := &c.request
	if !r.hasChannel || r.channel < firstChannel || r.channel > lastChannel || len(r.peers) != 1 {
		return c.fail(from, errBadRequest)
	}
	peer := r.peers[0]
	if failure := c.judge(held, peer); failure != nil {
		return c.fail(from, *failure)
	}
	held.channels = slices.DeleteFunc(held.channels, func(ch *channel) bool {
		over := !c.now.Before(ch.expires)
		if over {
			c.forget(ch)
		}
		return over
	})
	var ch *channel
	for _, other := range held.channels {
		switch {
		case other.number == r.channel && other.peer == peer:
			ch = other
		case other.number == r.channel || other.peer == peer:
			return c.fail(from, errBadRequest)
		}
	}
	if ch == nil && len(held.channels) >= maxChannels || !c.room(held, r.peers) {
		return c.refuse(from, LimitPeers, errCapacity)
	}
	if ch == nil {
		ch = &channel{owner: held, number: r.channel, peer: peer}
		c.remember(ch)
	}
	ch.expires = c.now.Add(channelLifetime)
	c.permit(held, peer.Addr())
	c.reroute(ch)
	c.rerouteTowards(held.appointment.space, held.relayed)
	c.begin(stun.ClassSuccessResponse)
	return c.finish(from)
}

// remember records a new channel everywhere except in the routes.
func (c *Core) remember(ch *channel) {
	ch.owner.channels = append(ch.owner.channels, ch)
	ch.owner.appointment.space.bound(ch)
}

// forget removes the routes and references of a channel that its owner no longer has.
func (c *Core) forget(ch *channel) {
	ch.owner.appointment.space.unbound(ch)
	c.routes.Delete(outbound(ch))
	c.routes.Delete(inbound(ch.owner, ch.peer))
}
