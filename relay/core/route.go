package core

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/pion/stun/v3"
)

// route is where the data plane forwards packets that match its key. It is immutable; changes
// replace it.
type route struct {
	to FiveTuple
	// from is the sender's relayed address, by which the target knows it.
	from netip.AddrPort
	// until is when the sender's channel or the target's permission expires.
	until time.Time
	// channel is the target's number for the sender, until channelUntil. Without one, the target
	// gets Data indications; a peer outside gets plain data.
	channel      uint16
	channelUntil time.Time
	// meter belongs to the allocation that is charged for the data, shared to its appointment, and
	// target to an allocation that receives the data without being charged.
	meter, shared, target *meter
}

// routeKey identifies a packet's route: a client and its channel or, in the open relay, a peer and
// the relayed address that it sent to.
type routeKey struct {
	client FiveTuple
	number uint16
}

func outbound(ch *channel) routeKey { return routeKey{ch.owner.tuple, ch.number} }

// inbound is the key of packets from a peer to an allocation. Port zero stands for all ports of the
// peer's address, since a permission covers them all.
func inbound(a *allocation, peer netip.AddrPort) routeKey {
	return routeKey{client: outside(a, peer)}
}

// outside returns the tuple of a peer that is not a client.
func outside(a *allocation, peer netip.AddrPort) FiveTuple {
	return FiveTuple{Client: peer, Server: a.relayed, Transport: Relayed}
}

// reroute derives a channel's routes from the state of both ends.
func (c *Core) reroute(ch *channel) {
	a := ch.owner
	if target := a.appointment.space.relayed[ch.peer]; target != nil {
		until := target.permitted(a.relayed.Addr())
		if until.IsZero() {
			c.routes.Delete(outbound(ch))
			return
		}
		r := &route{
			to: target.tuple, from: a.relayed, until: earlier(ch.expires, until),
			meter: &a.sent, shared: &a.appointment.meter, target: &target.received,
		}
		if back := target.channelTo(a.relayed); back != nil {
			r.channel, r.channelUntil = back.number, back.expires
		}
		c.routes.Store(outbound(ch), r)
		return
	}
	if c.judge(a, ch.peer) != nil {
		c.routes.Delete(outbound(ch))
		return
	}
	c.routes.Store(outbound(ch), &route{
		to: outside(a, ch.peer), until: ch.expires, meter: &a.sent, shared: &a.appointment.meter,
	})
	c.routes.Store(inbound(a, ch.peer), &route{
		to: a.tuple, until: a.permitted(ch.peer.Addr()),
		channel: ch.number, channelUntil: ch.expires,
		meter: &a.received, shared: &a.appointment.meter,
	})
}

// rerouteTowards derives the routes to a relayed address again.
func (c *Core) rerouteTowards(s *space, relayed netip.AddrPort) {
	for _, ch := range s.towards[relayed] {
		c.reroute(ch)
	}
}

// routeInbound lets in packets from a peer of the open relay: as Data indications, or through its
// channels if it has any.
func (c *Core) routeInbound(a *allocation, peer netip.Addr, until time.Time) {
	// The appliance's own addresses are never peers: relayed addresses reach each other inside the
	// core.
	if c.config.Open == nil || !c.config.Open.Permits(peer) {
		return
	}
	c.routes.Store(inbound(a, netip.AddrPortFrom(peer, 0)), &route{
		to: a.tuple, until: until, meter: &a.received, shared: &a.appointment.meter,
	})
	for _, ch := range a.channels {
		if ch.peer.Addr() == peer {
			c.reroute(ch)
		}
	}
}

func (c *Core) unrouteInbound(a *allocation, peer netip.Addr) {
	if c.config.Open != nil {
		c.routes.Delete(inbound(a, netip.AddrPortFrom(peer, 0)))
	}
}

// Forward takes one ChannelData message (RFC 8656, section 12.4) and returns the packet to send and
// the client to send it to, or an empty packet if there is no route. It rewrites in where it can
// and otherwise writes into buf, which must have room for MaxOutput bytes. It neither locks nor
// allocates.
func (c *Core) Forward(now time.Time, from FiveTuple, in, buf []byte) (to FiveTuple, out []byte) {
	if len(in) < 4 {
		c.drop(DropMalformed)
		return from, nil
	}
	end := 4 + int(binary.BigEndian.Uint16(in[2:])) // the rest is padding
	if end > len(in) || end > MaxMessage {
		c.drop(DropMalformed)
		return from, nil
	}
	r, ok := c.routes.Load(routeKey{from, binary.BigEndian.Uint16(in)})
	if !ok || !now.Before(r.until) {
		c.drop(DropNoRoute)
		return from, nil
	}
	if !c.admit(r.meter, r.shared, now, in[4:end]) {
		return from, nil
	}
	if r.target != nil {
		r.target.note(now.UnixNano())
	}
	switch {
	case r.to.Transport == Relayed:
		return r.to, in[4:end]
	case r.channel == 0 || !now.Before(r.channelUntil):
		return r.to, appendDataIndication(buf[:0], r.from, in[4:end])
	}
	binary.BigEndian.PutUint16(in, r.channel)
	return r.to, in[:end]
}

// Receive takes a packet that a peer sent to a relayed address of the open relay (RFC 8656, section
// 11.3). In all else it is like Forward.
func (c *Core) Receive(
	now time.Time, relayed, peer netip.AddrPort, data, buf []byte,
) (to FiveTuple, out []byte) {
	key := routeKey{client: FiveTuple{Client: peer, Server: relayed, Transport: Relayed}}
	r, ok := c.routes.Load(key)
	if !ok || !now.Before(r.channelUntil) {
		key.client.Client = netip.AddrPortFrom(peer.Addr(), 0)
		r, ok = c.routes.Load(key)
	}
	switch {
	case !ok || !now.Before(r.until) || peer.Port() < c.config.Open.MinPeerPort:
		c.drop(DropNoRoute)
		return key.client, nil
	case len(data) > MaxMessage-4:
		c.drop(DropMalformed)
		return key.client, nil
	case !c.admit(r.meter, r.shared, now, data):
		return key.client, nil
	}
	if r.channel == 0 {
		return r.to, appendDataIndication(buf[:0], peer, data)
	}
	return r.to, appendChannelData(buf[:0], r.channel, data)
}

// appointmentShare is an appointment's rate, in rates of one allocation: one for each direction of
// a call, and as much again. Without it, an appointment with dozens of allocations could take the
// whole relay's rate.
const appointmentShare = 4

// admit shapes the media of an allocation, of its appointment, and of the whole relay. What passes
// is counted for the allocation.
func (c *Core) admit(own, shared *meter, now time.Time, data []byte) bool {
	at, size, rate := now.UnixNano(), len(data), int(c.rates.allocation.Load())
	ownRate := rate
	if own.maxRate > 0 && (rate == 0 || rate > own.maxRate) {
		ownRate = own.maxRate
	}
	admitted := (own.take(at, size, ownRate) || c.drop(DropAllocationRate)) &&
		(shared.take(at, size, appointmentShare*rate) || c.drop(DropAppointmentRate)) &&
		(c.total.take(at, size, int(c.rates.total.Load())) || c.drop(DropTotalRate))
	if admitted {
		own.count(at, data)
	}
	return admitted
}

// send forwards a Send indication (RFC 8656, section 11.2). Indications are dropped silently.
func (c *Core) send(from FiveTuple, buf []byte) (FiveTuple, []byte) {
	r := &c.request
	held := c.allocations[from]
	if r.malformed || len(r.unknown) > 0 || len(r.peers) != 1 || !r.hasData {
		c.drop(DropMalformed)
		return from, nil
	}
	peer := r.peers[0]
	if held == nil || !c.permits(held, peer.Addr()) || c.judge(held, peer) != nil {
		c.drop(DropNoRoute)
		return from, nil
	}
	if !c.admit(&held.sent, &held.appointment.meter, c.now, r.data) {
		return from, nil
	}
	target := held.appointment.space.relayed[peer]
	if target == nil {
		return outside(held, peer), r.data
	}
	if !c.permits(target, held.relayed.Addr()) {
		c.drop(DropNoRoute)
		return from, nil
	}
	target.received.note(c.now.UnixNano())
	if back := target.channelTo(held.relayed); back != nil && c.now.Before(back.expires) {
		return target.tuple, appendChannelData(buf[:0], back.number, r.data)
	}
	return target.tuple, appendDataIndication(buf[:0], held.relayed, r.data)
}

// appendChannelData writes a ChannelData message (RFC 8656, section 12.4).
func appendChannelData(b []byte, number uint16, data []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, number)
	b = binary.BigEndian.AppendUint16(b, uint16(len(data)))
	return append(b, data...)
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
