package hostile

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/pion/stun/v3"

	"praxisrelay/relay/check"
)

// firstUnprivileged is the lowest port that a public peer may have.
const firstUnprivileged = 1024

// Ports that no public peer may have, and public addresses for these and for the paired relay.
// Nothing is sent to them.
var (
	lowPorts = []uint16{0, 22, 53, 443, 1023}
	public4  = netip.MustParseAddr("9.9.9.9")
	public6  = netip.MustParseAddr("2606:4700::1111")
)

// peers requests everything that no relay may reach, and sends data to what is on this host. It
// takes over the wire. A permission covers an address (RFC 8656, section 10.1), so it is not a leak
// if only some ports of the address are forbidden; what matters is whether data arrives there.
func (a *attack) peers(ctx context.Context, honest *wire) {
	w, seat := honest.way, honest.seat
	a.event(Peers, &w)
	four := &reach{wire: honest}
	six := &reach{more: []stun.Setter{family(ipv6)}}
	var err error
	if six.wire, err = a.allocate(ctx, w, seat, six.more...); err != nil {
		six = four // IPv6 is not served: those peers have the wrong family
	}
	for _, peer := range a.forbidden(honest.relayed, w) {
		r := six
		if peer.addr.Addr().Is4() {
			r = four
		}
		r.try(ctx, peer)
	}
	for _, r := range []*reach{four, six} {
		r.settle(ctx)
		if r.wire != nil {
			r.close(ctx)
			r.wire = nil
		}
	}
	a.strangersOf(ctx, w, seat)
	a.unpermitted(ctx, w, seat)
}

// forbidden is a peer that must not be reached.
type forbidden struct {
	addr netip.AddrPort
	here bool // leads to this host, where the sink listens
	port bool // forbidden only because of its port
}

func (a *attack) forbidden(relayed netip.AddrPort, w check.Way) (list []forbidden) {
	known := map[netip.AddrPort]bool{}
	add := func(addr netip.Addr, port uint16, here bool) {
		if peer := netip.AddrPortFrom(addr, port); !known[peer] {
			known[peer] = true
			list = append(list, forbidden{peer, here, port < firstUnprivileged})
		}
	}
	// Packets to the unspecified address arrive at this host too.
	here := append([]netip.Addr{
		netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback(),
		netip.IPv4Unspecified(), netip.IPv6Unspecified(),
	}, a.sink.hears...)
	for _, addr := range here {
		for _, spelled := range append(Spellings(addr), addr) {
			add(spelled, a.sink.port, true)
		}
	}
	for _, addr := range a.Own {
		add(addr.WithZone(""), a.sink.port, false)
	}
	for _, text := range Forbidden {
		add(netip.MustParseAddr(text), a.sink.port, false)
	}
	for _, port := range []uint16{w.Port, a.HTTPS} { // the appliance itself, at addresses that clients know
		add(relayed.Addr(), port, false)
		add(a.Addr, port, false)
	}
	for _, port := range lowPorts {
		add(public4, port, false)
		add(public6, port, false)
	}
	if a.Paired {
		add(public4, firstRelayed, false)
		add(public6, firstRelayed, false)
	}
	return list
}

// reach is an allocation for trying peers. If the server grants them, another allocation replaces
// it before it has used up its permissions.
type reach struct {
	*wire
	more    []stun.Setter // for its Allocate
	granted int
	bound   uint16 // channels
	sent    []parcel
}

// parcel is data that was sent and must not arrive.
type parcel struct {
	name    string
	arrived chan struct{}
}

const (
	maxGranted   = 24 // of 32
	firstChannel = 0x4000
)

func (r *reach) try(ctx context.Context, f forbidden) {
	if ctx.Err() != nil {
		return
	}
	peer := f.addr
	if r.granted >= maxGranted {
		r.settle(ctx)
		r.close(ctx)
		if again, err := r.allocate(ctx, r.way, r.seat, r.more...); err == nil {
			r.wire, r.granted, r.bound = again, 0, 0
		}
	}
	ask := func(name string, method stun.Method, setters ...stun.Setter) bool {
		answer, err := r.request(ctx, method, append(setters, peerAddr(peer))...)
		granted := r.judge(Peers, r.way, name, answer, err, aside...)
		if granted {
			r.granted++
		}
		return granted
	}
	send := func(name string, packet func(data []byte) []byte) {
		switch {
		case !f.here:
		case len(r.sink.hears) == 0:
			r.untried(Peers, &r.way, name, errors.New("this host cannot reach itself"))
		default:
			data, arrived := r.sink.packet()
			_ = r.send(packet(data)) // settle finds out whether it arrived
			r.sent = append(r.sent, parcel{name, arrived})
		}
	}
	if peer.Addr() == r.relayed.Addr() { // there the port must be refused
		_, _ = r.request(ctx, stun.MethodCreatePermission, peerAddr(peer))
	} else if !f.port {
		ask(fmt.Sprintf("CreatePermission for %v", peer), stun.MethodCreatePermission)
	}
	send(fmt.Sprintf("Send to %v", peer), func(data []byte) []byte { return sendTo(peer, data) })
	channel := firstChannel + r.bound
	if ask(fmt.Sprintf("ChannelBind to %v", peer), stun.MethodChannelBind, number(channel)) {
		r.bound++
	}
	send(fmt.Sprintf("ChannelData to %v", peer),
		func(data []byte) []byte { return channelData(channel, data) })
}

// settle records which parcels have arrived.
func (r *reach) settle(ctx context.Context) {
	if len(r.sent) == 0 {
		return
	}
	err := r.barrier(ctx)
	if err == nil && !r.sink.echo(r.sink.hears[0]) {
		err = errors.New("this host can no longer reach itself")
	}
	for _, p := range r.sent {
		r.delivered(Peers, p.name, has(p.arrived), err)
	}
	r.sent = nil
}

func (c *wire) delivered(group Group, name string, arrived bool, err error) {
	switch {
	case arrived:
		c.note(group, &c.way, name, Accepted, "it arrived")
	case err != nil:
		c.untried(group, &c.way, name, err)
	default:
		c.note(group, &c.way, name, Refused, "dropped")
	}
}

// strangersOf tries to reach another appointment.
func (a *attack) strangersOf(ctx context.Context, w check.Way, seat int) {
	const name = "another appointment's relayed address"
	own, err := a.allocate(ctx, w, seat)
	if err != nil {
		a.untried(Peers, &w, name, err)
		return
	}
	defer own.close(ctx)
	stranger, err := a.allocate(ctx, w, 1-seat)
	if err != nil {
		a.untried(Peers, &w, name, err)
		return
	}
	defer stranger.close(ctx)
	const channel = firstChannel
	// Appointments share the address, so the server must refuse by port.
	_, _ = own.request(ctx, stun.MethodCreatePermission, peerAddr(stranger.relayed))
	answer, err := own.request(ctx, stun.MethodChannelBind, peerAddr(stranger.relayed), number(channel))
	if a.Paired && stranger.relayed != own.relayed { // each appointment has its own ports
		a.judge(Peers, w, "ChannelBind for "+name, answer, err, aside...)
	}
	// Even in the open relay nothing may arrive without the receiver's permission.
	own.carry(ctx, "Send to "+name, stranger, func(data []byte) []byte {
		return sendTo(stranger.relayed, data)
	})
	own.carry(ctx, "ChannelData to "+name, stranger, func(data []byte) []byte {
		return channelData(channel, data)
	})
}

// unpermitted sends data that neither side, or only one, permits, and finally data that both
// permit: once that has arrived, whatever was sent before has arrived too, or never will.
func (a *attack) unpermitted(ctx context.Context, w check.Way, seat int) {
	const name = "data without a permission"
	own, err := a.allocate(ctx, w, seat)
	if err != nil {
		a.untried(Peers, &w, name, err)
		return
	}
	defer own.close(ctx)
	partner, err := a.allocate(ctx, w, seat)
	if err != nil {
		a.untried(Peers, &w, name, err)
		return
	}
	defer partner.close(ctx)
	sent := map[string][]byte{}
	send := func(name string, packet func(data []byte) []byte) {
		data, _ := a.sink.packet()
		sent[name] = data
		err = cmp.Or(err, own.send(packet(data)))
	}
	permits := func(c, peer *wire) {
		answer, failed := c.request(ctx, stun.MethodCreatePermission, peerAddr(peer.relayed))
		if failed == nil && answer.Type.Class != stun.ClassSuccessResponse {
			failed = fmt.Errorf("a permission for the partner gets the answer %d", codeOf(answer))
		}
		err = cmp.Or(err, failed)
	}
	toPartner := func(data []byte) []byte { return sendTo(partner.relayed, data) }
	send("Send without a permission", toPartner)
	send("ChannelData without a channel", func(data []byte) []byte { return channelData(firstChannel, data) })
	permits(own, partner)
	send("Send to somebody who gave no permission", toPartner)
	err = cmp.Or(err, own.barrier(ctx))
	permits(partner, own)
	if err == nil {
		data, _ := a.sink.packet()
		if err = own.send(toPartner(data)); err == nil {
			err = partner.gets(ctx, data)
		}
	}
	for name, data := range sent {
		own.delivered(Peers, name, partner.got(data), err)
	}
}

// gets waits for data.
func (c *wire) gets(ctx context.Context, data []byte) error {
	until := time.Now().Add(c.times.answer)
	for !c.got(data) {
		b, err := c.receive(ctx, until)
		if err != nil {
			return fmt.Errorf("nothing arrives even with permissions: %w", err)
		}
		c.strays = append(c.strays, b)
	}
	return nil
}

// got reports whether data has arrived.
func (c *wire) got(data []byte) bool {
	return slices.ContainsFunc(c.strays, func(b []byte) bool { return bytes.Contains(b, data) })
}

// carry sends a packet that must not arrive at another client.
func (c *wire) carry(ctx context.Context, name string, to *wire, packet func(data []byte) []byte) {
	data, _ := c.sink.packet()
	err := c.send(packet(data))
	if err == nil {
		err = c.barrier(ctx)
	}
	if err == nil {
		err = to.barrier(ctx)
	}
	c.delivered(Peers, name, to.got(data), err)
}
