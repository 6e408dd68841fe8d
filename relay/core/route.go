package core

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/pion/stun/v3"
)

// route is where the data plane sends what a client puts into a channel. It
// never changes; whatever alters the way makes a new one.
type route struct {
	to FiveTuple
	// from is the sender's relayed address, which the target knows it by.
	from netip.AddrPort
	// until is when the sender's channel or the target's permission is over.
	until time.Time
	// channel is the target's number for the sender, until channelUntil; without
	// one it gets Data indications.
	channel      uint16
	channelUntil time.Time
}

type channelKey struct {
	client FiveTuple
	number uint16
}

// reroute derives the route of one channel from the state of both ends.
func (c *Core) reroute(a *allocation, ch *channel) {
	key := channelKey{a.tuple, ch.number}
	if target := a.appointment.relayed[ch.peer]; target != nil {
		if until, permitted := target.permissions[a.relayed.Addr()]; permitted {
			r := &route{to: target.tuple, from: a.relayed, until: earlier(ch.expires, until)}
			if back := target.byPeer[a.relayed]; back != nil {
				r.channel, r.channelUntil = back.number, back.expires
			}
			c.routes.Store(key, r)
			return
		}
	}
	c.routes.Delete(key)
}

// rerouteTowards derives anew the routes that end at a relayed address.
func (c *Core) rerouteTowards(p *appointment, relayed netip.AddrPort) {
	for _, other := range p.relayed {
		if ch := other.byPeer[relayed]; ch != nil {
			c.reroute(other, ch)
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Forward takes one ChannelData message (RFC 8656, section 12.4) and returns the
// packet to send and the client it is for, or an empty packet when there is no
// way. It rewrites in where it can, and else writes into buf, which must have
// room for MaxOutput bytes; it neither locks nor allocates.
func (c *Core) Forward(now time.Time, from FiveTuple, in, buf []byte) (to FiveTuple, out []byte) {
	if len(in) < 4 {
		return from, nil
	}
	end := 4 + int(binary.BigEndian.Uint16(in[2:])) // what is behind it is padding
	if end > len(in) || end > MaxMessage {
		return from, nil
	}
	r, ok := c.routes.Load(channelKey{from, binary.BigEndian.Uint16(in)})
	if !ok || !now.Before(r.until) {
		return from, nil
	}
	if r.channel == 0 || !now.Before(r.channelUntil) {
		return r.to, appendDataIndication(buf[:0], r.from, in[4:end])
	}
	binary.BigEndian.PutUint16(in, r.channel)
	return r.to, in[:end]
}

// send forwards a Send indication (RFC 8656, section 11.2). Nobody is told when
// it is dropped.
func (c *Core) send(from FiveTuple, buf []byte) (FiveTuple, []byte) {
	r := &c.request
	held := c.allocations[from]
	if held == nil || r.malformed || len(r.unknown) > 0 || len(r.peers) != 1 || !r.hasData {
		return from, nil
	}
	peer := r.peers[0]
	target := held.appointment.relayed[peer]
	if target == nil || !c.permits(held, peer.Addr()) || !c.permits(target, held.relayed.Addr()) {
		return from, nil
	}
	if back := target.byPeer[held.relayed]; back != nil && c.now.Before(back.expires) {
		out := binary.BigEndian.AppendUint16(buf[:0], back.number)
		out = binary.BigEndian.AppendUint16(out, uint16(len(r.data)))
		return target.tuple, append(out, r.data...)
	}
	return target.tuple, appendDataIndication(buf[:0], held.relayed, r.data)
}

func (c *Core) permits(a *allocation, peer netip.Addr) bool {
	until, ok := a.permissions[peer]
	return ok && c.now.Before(until)
}

// appendDataIndication writes a Data indication (RFC 8656, section 11.3).
func appendDataIndication(b []byte, peer netip.AddrPort, data []byte) []byte {
	var id [stun.TransactionIDSize]byte
	binary.BigEndian.PutUint64(id[:], rand.Uint64()) // distinct, not secret
	start := len(b)
	b = binary.BigEndian.AppendUint16(b, stun.NewType(stun.MethodData, stun.ClassIndication).Value())
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint32(b, magicCookie)
	b = append(b, id[:]...)
	b = appendXORAddress(b, stun.AttrXORPeerAddress, id, peer)
	b = binary.BigEndian.AppendUint16(b, uint16(stun.AttrData))
	b = binary.BigEndian.AppendUint16(b, uint16(len(data)))
	b = append(b, data...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	binary.BigEndian.PutUint16(b[start+2:], uint16(len(b)-start-headerSize))
	return b
}
