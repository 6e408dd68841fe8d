package core

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v3"
)

// churn is a crowd that comes and goes: users of three appointments on few 5-tuples and few relayed
// ports, so that each soon passes to another user.
type churn struct {
	*lab
	random *rand.Rand
	tuples []FiveTuple
	users  []*peer // their tuples change with every step
	seen   map[string]int

	// The test's own record of the appointment that holds each 5-tuple.
	holders map[FiveTuple]string
	before  map[FiveTuple]string // the previous one
	ports   map[netip.AddrPort]string
}

// TestAllocationsThatComeAndGoDoNotCross into another appointment.
func TestAllocationsThatComeAndGoDoNotCross(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	c := &churn{
		lab: newLab(t), random: rand.New(rand.NewPCG(seed, 0)), seen: map[string]int{},
		holders: map[FiveTuple]string{}, before: map[FiveTuple]string{}, ports: map[netip.AddrPort]string{},
	}
	for i, transport := range []Transport{UDP, UDP, UDP, UDP, TCP, TCP, TLS} {
		client := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, 1}), uint16(1000+i))
		c.tuples = append(c.tuples, FiveTuple{Client: client, Server: server, Transport: transport})
	}
	for _, appointment := range []string{"x", "y", "z"} {
		for _, seat := range []string{"doctor", "patient"} {
			c.users = append(c.users, c.peer("198.51.100.1:1", appointment, seat))
		}
	}
	for range 6000 {
		c.step()
	}
	t.Logf("seen: %v", c.seen)
	for _, what := range []string{"5-tuple of another", "port of two appointments", "forwarded",
		"to itself", "ended", "expired"} {
		if c.seen[what] < 5 {
			t.Errorf("%s: came up %d times", what, c.seen[what])
		}
	}
	c.now = c.now.Add(2 * time.Hour)
	c.Sweep(c.now)
	if c.Allocations() != 0 || c.routes.Len() != 0 || len(c.appointments) != 0 || len(c.prefixes) != 0 {
		t.Errorf("left behind: %d allocations, %d routes, %d appointments", c.Allocations(),
			c.routes.Len(), len(c.appointments))
	}
}

func (c *churn) step() {
	if c.random.IntN(4) == 0 {
		c.now = c.now.Add(time.Duration(c.random.IntN(8)) * time.Second)
	}
	if c.random.IntN(300) == 0 {
		c.now = c.now.Add(time.Duration(c.random.IntN(700)) * time.Second)
	}
	c.Sweep(c.now)
	for tuple := range c.holders {
		if !c.Holds(tuple) {
			c.seen["expired"]++
			delete(c.holders, tuple)
		}
	}
	p := c.users[c.random.IntN(len(c.users))]
	p.tuple = c.tuples[c.random.IntN(len(c.tuples))]
	mine := c.holders[p.tuple] != "" && c.allocations[p.tuple].username == p.credential.Username
	to := netip.AddrPortFrom(relayed, uint16(firstPort+c.random.IntN(4)))
	number := uint16(firstChannel + c.random.IntN(3))
	switch c.random.IntN(16) {
	case 0, 1, 2:
		if c.answered(p, stun.MethodAllocate, requestedTransport(protocolUDP)) == 0 {
			c.allocated(p)
		}
	case 3:
		if c.random.IntN(3) > 0 {
			c.answered(p, stun.MethodRefresh, lifetime(3600))
		} else if c.answered(p, stun.MethodRefresh, lifetime(0)) == 0 {
			c.ended(p.tuple, mine)
		}
	case 4:
		if p.tuple.Transport != UDP && c.random.IntN(3) == 0 {
			c.Disconnected(c.now, p.tuple)
			c.ended(p.tuple, true)
		}
	case 5, 6:
		c.answered(p, stun.MethodCreatePermission, xorPeer(to))
	case 7, 8, 9:
		c.answered(p, stun.MethodChannelBind, channelNumber(number), xorPeer(to))
	case 10, 11:
		target, out := p.send(to, "of "+c.holders[p.tuple])
		c.forwarded(p, target, out)
	default:
		target, out := p.channelData(number, "of "+c.holders[p.tuple])
		c.forwarded(p, target, out)
	}
}

// answered makes a request, checks that the answer goes to the client, and returns its code.
func (c *churn) answered(p *peer, method stun.Method, setters ...stun.Setter) int {
	code := p.refused(method, setters...)
	if code == 438 {
		p.nonce = ""
		code = p.refused(method, setters...)
	}
	return code
}

// allocated records who holds a 5-tuple now, and moves the relayed address to one of four, as
// chance might have done.
func (c *churn) allocated(p *peer) {
	a := c.allocations[p.tuple]
	name := a.appointment.name
	if c.holders[p.tuple] != "" || a.username != p.credential.Username {
		c.Fatalf("a success for %s on a 5-tuple that %s holds", p.credential.Username, c.holders[p.tuple])
	}
	for port := uint16(firstPort); port < firstPort+4; port++ {
		if addr := netip.AddrPortFrom(relayed, port); a.appointment.space.relayed[addr] == nil {
			delete(a.appointment.space.relayed, a.relayed)
			a.appointment.space.relayed[addr], a.relayed = a, addr
			break
		}
	}
	opened, _ := c.keys.Open(p.credential.Username)
	c.holders[p.tuple] = opened.Appointment
	if c.holders[p.tuple] != name {
		c.Fatalf("%s is in the appointment %s", p.credential.Username, name)
	}
	if last := c.before[p.tuple]; last != "" && last != name {
		c.seen["5-tuple of another"]++
	}
	if last := c.ports[a.relayed]; last != "" && last != name && c.appointments[last] != nil &&
		c.appointments[last].space.relayed[a.relayed] != nil {
		c.seen["port of two appointments"]++
	}
	c.before[p.tuple], c.ports[a.relayed] = name, name
}

func (c *churn) ended(tuple FiveTuple, mine bool) {
	if !mine {
		c.Fatalf("somebody else ended the allocation of %s", c.holders[tuple])
	}
	if c.Holds(tuple) {
		c.Fatalf("%v still holds an allocation", tuple)
	}
	if c.holders[tuple] != "" {
		c.seen["ended"]++
	}
	delete(c.holders, tuple)
}

// forwarded checks where data went.
func (c *churn) forwarded(p *peer, to FiveTuple, out []byte) {
	if len(out) == 0 {
		return
	}
	from, target := c.allocations[p.tuple], c.allocations[to]
	switch name := c.holders[p.tuple]; {
	case from == nil || target == nil || name == "":
		c.Fatalf("%q went from %v to %v, who hold %q and %q", out, p.tuple, to, name, c.holders[to])
	case from.appointment != target.appointment || c.holders[to] != name:
		c.Fatalf("%q went from %s into %s", out, name, c.holders[to])
	case !strings.Contains(string(out), "of "+name):
		c.Fatalf("%q is not what was sent", out)
	case !c.now.Before(target.permitted(from.relayed.Addr())):
		c.Fatalf("%q went to %v, who does not permit it", out, to)
	}
	c.seen["forwarded"]++
	if to == p.tuple {
		c.seen["to itself"]++
	}
}
