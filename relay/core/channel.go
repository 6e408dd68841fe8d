package core

import (
	"github.com/pion/stun/v3"
)

// Channel numbers. RFC 8656 ends at 0x4FFF; clients of RFC 5766, coturn's among
// them, pick up to 0x7FFF, and nothing else can start with these bits.
const (
	firstChannel = 0x4000
	lastChannel  = 0x7FFF
)

// channelBind binds a channel number to a peer or refreshes the binding, and
// with it the peer's permission (RFC 8656, section 12.2).
func (c *Core) channelBind(from FiveTuple, held *allocation) []byte {
	r := &c.request
	if !r.hasChannel || r.channel < firstChannel || r.channel > lastChannel || len(r.peers) != 1 {
		return c.fail(from, errBadRequest)
	}
	peer := r.peers[0]
	if failure := held.judge(peer); failure != nil {
		return c.fail(from, *failure)
	}
	for number, ch := range held.channels {
		if !c.now.Before(ch.expires) {
			delete(held.channels, number)
			delete(held.byPeer, ch.peer)
			c.routes.Delete(channelKey{from, number})
		}
	}
	ch := held.channels[r.channel]
	if other := held.byPeer[peer]; other != ch || ch != nil && ch.peer != peer {
		return c.fail(from, errBadRequest)
	}
	if ch == nil && len(held.channels) >= maxChannels || !held.room(c.now, r.peers) {
		return c.fail(from, errCapacity)
	}
	if ch == nil {
		ch = &channel{number: r.channel, peer: peer}
		held.channels[ch.number] = ch
		held.byPeer[peer] = ch
	}
	ch.expires = c.now.Add(channelLifetime)
	held.permissions[peer.Addr()] = c.now.Add(permissionLifetime)
	c.reroute(held, ch)
	c.rerouteTowards(held.appointment, held.relayed)
	c.begin(stun.ClassSuccessResponse)
	return c.finish(from)
}
