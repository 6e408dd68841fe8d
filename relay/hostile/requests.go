package hostile

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/pion/stun/v3"

	"praxisrelay/relay/check"
)

// maxAmplified is the largest answer over UDP to an unauthenticated request, relative to the
// request in IP bytes: its source may be forged.
const maxAmplified = 1.65

func (a *attack) requests(ctx context.Context, w check.Way, seat int) {
	a.event(Requests, &w)
	a.unauthenticated(ctx, w, seat)
	a.wronglyAuthenticated(ctx, w, seat)
	a.withoutAllocation(ctx, w, seat)
	a.onAnothers(ctx, w, seat)
	a.unserved(ctx, w, seat)
}

// peer is a peer for requests that must be refused for another reason.
func (a *attack) peer() peerAddr {
	return peerAddr(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), a.sink.port))
}

// methods returns TURN's methods with the attributes that each needs.
func (a *attack) methods() []struct {
	method  stun.Method
	setters []stun.Setter
} {
	return []struct {
		method  stun.Method
		setters []stun.Setter
	}{
		{stun.MethodAllocate, []stun.Setter{udpTransport}},
		{stun.MethodRefresh, []stun.Setter{lifetime(0)}},
		{stun.MethodCreatePermission, []stun.Setter{a.peer()}},
		{stun.MethodChannelBind, []stun.Setter{number(firstChannel), a.peer()}},
	}
}

func (a *attack) unauthenticated(ctx context.Context, w check.Way, seat int) {
	c, err := a.connect(ctx, w, seat)
	if err != nil {
		a.untried(Requests, &w, "requests without a credential", err)
		return
	}
	defer c.close(ctx)
	for _, m := range a.methods() {
		name := fmt.Sprintf("%v without a credential", m.method)
		request := plainly(m.method, m.setters...)
		answer, err := c.ask(ctx, request)
		if a.judge(Requests, w, name, answer, err) {
			c.holds = c.holds || m.method == stun.MethodAllocate
		}
		if err != nil || w.Transport != check.UDP {
			continue
		}
		overhead := 48 // IPv6 and UDP
		if a.Addr.Is4() {
			overhead = 28
		}
		factor := float64(len(answer.Raw)+overhead) / float64(len(request.Raw)+overhead)
		outcome := Refused
		if factor > maxAmplified {
			outcome = Accepted
		}
		a.note(Requests, &w, "amplification by "+name, outcome, fmt.Sprintf("x%.2f", factor))
	}
	// Indications get no answer.
	relayed := a.peer()
	for name, packet := range map[string]func(data []byte) []byte{
		"Send without an allocation":        func(data []byte) []byte { return sendTo(netip.AddrPort(relayed), data) },
		"ChannelData without an allocation": func(data []byte) []byte { return channelData(firstChannel, data) },
	} {
		data, arrived := a.sink.packet()
		err := c.send(packet(data))
		if err == nil {
			err = c.barrier(ctx)
		}
		if err == nil && (len(a.sink.hears) == 0 || !a.sink.echo(a.sink.hears[0])) {
			err = errors.New("this host cannot reach itself")
		}
		c.delivered(Requests, name, has(arrived), err)
	}
}

// wronglyAuthenticated tries invalid credentials, once each: few enough not to fire the alert in
// docs/monitoring.md.
func (a *attack) wronglyAuthenticated(ctx context.Context, w check.Way, seat int) {
	own, stranger := a.Seats[seat], a.Seats[1-seat]
	_, identity, _ := strings.Cut(own.Username, ":")
	broken := func(m *stun.Message) { m.Raw[len(m.Raw)-1] ^= 1 }
	for _, test := range []struct {
		name   string
		seat   Seat
		realm  string
		nonce  func(string) string
		change func(*stun.Message)
	}{
		{name: "a wrong password", seat: Seat{own.Username, stranger.Password}},
		{name: "a later expiry", seat: Seat{"4102444800:" + identity, own.Password}}, // in the year 2100
		{name: "another realm", seat: own, realm: "example.org"},
		{name: "a broken MESSAGE-INTEGRITY", seat: own, change: broken},
		{name: "a nonce of one letter", seat: own, nonce: func(string) string { return "x" }},
		{name: "a made-up nonce", seat: own, nonce: func(n string) string { return strings.Repeat("A", len(n)) }},
		{name: "a nonce that was altered", seat: own, nonce: func(n string) string {
			b := []byte(n)
			b[0] ^= 1
			return string(b)
		}},
	} {
		name := "Allocate with " + test.name
		c, err := a.challenged(ctx, w, seat)
		if err != nil {
			a.untried(Requests, &w, name, err)
			continue
		}
		if test.realm != "" {
			c.realm = test.realm
		}
		if test.nonce != nil {
			c.nonce = test.nonce(c.nonce)
		}
		m := c.signed(test.seat, stun.MethodAllocate, udpTransport)
		if test.change != nil {
			test.change(m)
		}
		answer, err := c.asked(ctx, seat, m)
		c.holds = a.judge(Requests, w, name, answer, err)
		c.close(ctx)
	}
	const name = "Allocate without a USERNAME"
	c, err := a.challenged(ctx, w, seat)
	if err != nil {
		a.untried(Requests, &w, name, err)
		return
	}
	allocate := []stun.Setter{
		stun.TransactionID, stun.NewType(stun.MethodAllocate, stun.ClassRequest), udpTransport,
	}
	m := stun.MustBuild(slices.Concat(allocate, c.credential(own)[1:])...)
	answer, err := c.asked(ctx, seat, m)
	c.holds = a.judge(Requests, w, name, answer, err)
	c.close(ctx)
}

// asked sends a request with a credential, within the pace of its seat. Over UDP it also keeps the
// pace of strangers, since a refusal draws on their budget.
func (c *wire) asked(ctx context.Context, seat int, m *stun.Message) (*stun.Message, error) {
	err := c.users[seat].wait(ctx)
	if err == nil && c.way.Transport == check.UDP {
		err = c.strangers.wait(ctx)
	}
	if err != nil {
		return nil, err
	}
	return c.ask(ctx, m)
}

func (a *attack) withoutAllocation(ctx context.Context, w check.Way, seat int) {
	c, err := a.challenged(ctx, w, seat)
	if err != nil {
		a.untried(Requests, &w, "requests without an allocation", err)
		return
	}
	defer c.close(ctx)
	for _, m := range a.methods()[1:] {
		answer, err := c.request(ctx, m.method, m.setters...)
		a.judge(Requests, w, fmt.Sprintf("%v without an allocation", m.method), answer, err,
			stun.CodeUnauthorized, stun.CodeStaleNonce)
	}
}

// onAnothers sends requests about an allocation as another user, or with attributes after
// MESSAGE-INTEGRITY. The allocation must survive.
func (a *attack) onAnothers(ctx context.Context, w check.Way, seat int) {
	c, err := a.allocate(ctx, w, seat)
	if err != nil {
		a.untried(Requests, &w, "requests of another user", err)
		return
	}
	defer func() { c.close(ctx) }()
	// stays checks that the allocation lives, and otherwise makes another.
	stays := func(name string) {
		answer, err := c.request(ctx, stun.MethodRefresh)
		name = "an allocation's end by " + name
		switch {
		case errors.Is(err, errIgnored):
			a.note(Requests, &w, name, Accepted, "its Refresh gets no answer")
		case err != nil:
			a.untried(Requests, &w, name, err)
		case answer.Type.Class == stun.ClassSuccessResponse:
			a.note(Requests, &w, name, Refused, "it lives")
			return
		default:
			a.note(Requests, &w, name, Accepted, fmt.Sprintf("its Refresh is answered %d", codeOf(answer)))
		}
		c.close(ctx)
		if again, err := a.allocate(ctx, w, seat); err == nil {
			c = again
		}
	}
	for _, m := range a.methods()[1:] {
		name := fmt.Sprintf("another user's %v", m.method)
		answer, err := c.requestAs(ctx, 1-seat, m.method, m.setters...)
		a.judge(Requests, w, name, answer, err, stun.CodeUnauthorized, stun.CodeStaleNonce,
			stun.CodeAllocMismatch)
		stays(name)
	}
	answer, err := c.request(ctx, stun.MethodAllocate, udpTransport)
	a.judge(Requests, w, "a second Allocate on one 5-tuple", answer, err, stun.CodeUnauthorized,
		stun.CodeStaleNonce, stun.CodeAllocQuotaReached)

	behind := func(m *stun.Message, s stun.Setter) *stun.Message {
		if s.AddTo(m) == nil {
			m.WriteHeader()
		}
		return m
	}
	// The allocation's own address would be an allowed peer if the attribute counted.
	answer, err = c.asked(ctx, seat, behind(c.signed(a.Seats[seat], stun.MethodCreatePermission),
		peerAddr(c.relayed)))
	a.judge(Requests, w, "XOR-PEER-ADDRESS behind MESSAGE-INTEGRITY", answer, err, aside...)
	if _, err = c.asked(ctx, seat, behind(c.signed(a.Seats[seat], stun.MethodRefresh), lifetime(0))); err != nil {
		a.untried(Requests, &w, "LIFETIME behind MESSAGE-INTEGRITY", err)
	} else {
		stays("a LIFETIME behind MESSAGE-INTEGRITY")
	}
	for _, n := range []uint16{0, 0x3FFF, 0x8000, 0xFFFF} {
		answer, err := c.request(ctx, stun.MethodChannelBind, number(n), peerAddr(c.relayed))
		a.judge(Requests, w, fmt.Sprintf("the channel number %#x", n), answer, err, aside...)
	}
	answer, err = c.request(ctx, stun.MethodRefresh, attr{0x7FF0, []byte{1, 2, 3, 4}})
	a.judge(Requests, w, "Refresh with an unknown attribute", answer, err, aside...)
}

// unserved requests allocations that a UDP relay does not make.
func (a *attack) unserved(ctx context.Context, w check.Way, seat int) {
	for _, test := range []struct {
		name    string
		setters []stun.Setter
	}{
		{"for TCP", []stun.Setter{attr{stun.AttrRequestedTransport, []byte{6, 0, 0, 0}}}},
		{"without REQUESTED-TRANSPORT", nil},
		{"of an unheard-of address family", []stun.Setter{udpTransport, family(3)}},
		{"that reserves a port", []stun.Setter{udpTransport, attr{stun.AttrEvenPort, []byte{0x80}}}},
		{"with a RESERVATION-TOKEN", []stun.Setter{udpTransport, attr{stun.AttrReservationToken, make([]byte, 8)}}},
		{"with an unknown attribute", []stun.Setter{udpTransport, attr{0x7FF0, []byte{1, 2, 3, 4}}}},
	} {
		unrelated := []stun.ErrorCode{stun.CodeUnauthorized, stun.CodeStaleNonce, stun.CodeAllocQuotaReached}
		a.allocateAnyway(ctx, w, seat, "Allocate "+test.name, unrelated, test.setters...)
	}
}

// allocateAnyway sends an Allocate that must be refused.
func (a *attack) allocateAnyway(ctx context.Context, w check.Way, seat int, name string,
	unrelated []stun.ErrorCode, setters ...stun.Setter) {
	c, err := a.challenged(ctx, w, seat)
	if err != nil {
		a.untried(Requests, &w, name, err)
		return
	}
	answer, err := c.request(ctx, stun.MethodAllocate, setters...)
	c.holds = a.judge(Requests, w, name, answer, err, unrelated...)
	c.close(ctx)
}
