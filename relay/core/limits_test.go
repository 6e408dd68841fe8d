package core

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v3"

	"praxisrelay/config/network"
	"praxisrelay/relay/credential"
)

// TestAnIPv6SiteLeavesRoom: the holder of a /48, or a /56 in it, has countless networks, but all of
// them together get no more allocations than are free for others.
func TestAnIPv6SiteLeavesRoom(t *testing.T) {
	l := newLab(t)
	l.config.Limits = Limits{PerSeat: 1000, PerPrefix: 8, Total: 20,
		Unauthenticated: 1000}
	fill := func(network string) (got int) {
		for i := range 40 {
			p := l.peer(fmt.Sprintf("["+network+"]:%d", i, 1000+i), "x", "doctor")
			switch code := p.refused(stun.MethodAllocate, requestedTransport(protocolUDP)); code {
			case 0:
				got++
			case 508:
			default:
				t.Fatalf("%s: %d", p.tuple.Client, code)
			}
		}
		return got
	}
	for _, step := range []struct {
		networks string
		want     int
	}{{"2001:db8:1:%x::1", 10}, {"2001:db8:2:%x::1", 5}, {"2001:db8:3:0:%x::1", 5}} {
		if got := fill(step.networks); got != step.want {
			t.Errorf("networks like %s get %d of 20, want %d", step.networks, got, step.want)
		}
	}
	l.Revoke(l.now, id("x"), "", 0)
	if len(l.prefixes) != 0 {
		t.Errorf("left behind: %v", l.prefixes)
	}
}

func TestLimitsOfAllocations(t *testing.T) {
	l := newLab(t)
	l.config.Limits = Limits{PerSeat: 4, PerPrefix: 8, Total: 10, Unauthenticated: 1000}
	udp := requestedTransport(protocolUDP)
	next := 0
	try := func(prefix, appointment, seat string) int {
		next++
		return l.peer(fmt.Sprintf("%s:%d", prefix, next), appointment, seat).refused(stun.MethodAllocate, udp)
	}
	for _, step := range []struct {
		prefix, appointment, seat string
		want                      int
	}{
		{"198.51.100.1", "x", "doctor", 0}, {"198.51.100.1", "x", "doctor", 0},
		{"198.51.100.1", "x", "doctor", 0}, {"198.51.100.1", "x", "doctor", 0},
		{"198.51.100.1", "x", "doctor", 486}, // the seat already has four
		{"198.51.100.1", "x", "patient", 0}, {"198.51.100.1", "x", "patient", 0},
		{"198.51.100.1", "y", "doctor", 0}, {"198.51.100.1", "y", "doctor", 0},
		{"198.51.100.1", "y", "doctor", 508}, // the prefix already has eight
		{"198.51.100.2", "z", "doctor", 0}, {"198.51.100.2", "z", "doctor", 0},
		{"198.51.100.3", "z", "patient", 508}, // the total of ten is reached
	} {
		if got := try(step.prefix, step.appointment, step.seat); got != step.want {
			t.Errorf("allocation %d, of %s.%s from %s: %d, want %d", next, step.appointment,
				step.seat, step.prefix, got, step.want)
		}
	}
	// Live allocations are counted, not requests.
	if got := l.Allocations(); got != 10 {
		t.Errorf("%d allocations", got)
	}
	l.Revoke(l.now, id("y"), "", 0)
	if got := try("198.51.100.1", "z", "patient"); got != 0 {
		t.Errorf("after two were ended: %d", got)
	}
	l.now = l.now.Add(DefaultLifetime)
	l.Sweep(l.now)
	if len(l.prefixes)+len(l.appointments)+len(l.allocations) != 0 {
		t.Errorf("left behind: %v %v", l.prefixes, l.appointments)
	}
}

// An ICE restart makes new allocations while the old ones live: the seat's longest idle allocation
// makes room, never one that carries media.
func TestTheLongestIdleAllocationOfASeatMakesRoom(t *testing.T) {
	l := newLab(t)
	l.config.Limits.PerSeat = 3
	patient := l.allocated("198.51.100.9:1000", "x", "patient")
	var held []*peer
	for i := range 3 {
		held = append(held, l.allocated(fmt.Sprintf("198.51.100.1:%d", 1000+i), "x", "doctor"))
		held[i].bind(0x4000, patient.relayed)
		patient.permit(held[i].relayed)
		l.now = l.now.Add(time.Second)
	}
	one := l.peer("198.51.100.1:2000", "x", "doctor")
	if code := one.refused(stun.MethodAllocate, requestedTransport(protocolUDP)); code != 486 {
		t.Fatalf("a fourth at once: %d, want 486", code)
	}
	for range 40 {
		l.now = l.now.Add(time.Second)
		held[0].channelData(0x4000, "the call")
		if l.now.Sub(start) < 20*time.Second {
			held[2].channelData(0x4000, "another, for a while")
		}
	}
	one.allocate()
	if !l.Holds(held[0].tuple) || l.Holds(held[1].tuple) || !l.Holds(held[2].tuple) {
		t.Errorf("held: %v %v %v, want the second to be gone", l.Holds(held[0].tuple),
			l.Holds(held[1].tuple), l.Holds(held[2].tuple))
	}
	if l.Holds(patient.tuple) == false {
		t.Error("another seat paid for it")
	}
}

// Browsers also check the pairs left over from an ICE restart, every 25 seconds: these make room
// for the next restart. The call's own pair, which has consent checks, does not.
func TestLeftoversOfRestartsMakeRoom(t *testing.T) {
	l := newLab(t)
	l.config.Limits.PerSeat = 6
	patient := l.allocated("198.51.100.9:1000", "x", "patient")
	var held []*peer
	for second := range 300 {
		l.now = l.now.Add(time.Second)
		for i, p := range held {
			if consent := i == 0; consent && second%6 == 0 || !consent && (second+4*i)%25 == 0 {
				p.channelData(0x4000, "a check")
			}
		}
		if second%15 == 0 {
			p := l.allocated(fmt.Sprintf("198.51.100.1:%d", 1000+second), "x", "doctor")
			p.bind(0x4000, patient.relayed)
			patient.permit(p.relayed)
			held = append(held, p)
		}
	}
	if !l.Holds(held[0].tuple) {
		t.Error("the call's own made room")
	}
}

// TestBudgetOfUnauthenticatedAnswers: per prefix, over UDP only, larger for holders of allocations,
// and in a table that does not grow.
func TestBudgetOfUnauthenticatedAnswers(t *testing.T) {
	l := newLab(t)
	l.config.Limits.Unauthenticated = 10
	binding := build(t, stun.MethodBinding, stun.ClassRequest)
	challenge := build(t, stun.MethodAllocate, stun.ClassRequest, requestedTransport(protocolUDP))
	answered := func(address string, times int) (n int) {
		p := l.peer(address, "x", "doctor")
		for i := range times {
			if m := []*stun.Message{binding, challenge}[i%2]; p.ask(m) != nil {
				n++
			}
		}
		return n
	}
	if n := answered("198.51.100.1:1", 500); n != 100 {
		t.Errorf("at once: %d answers, want 10 seconds' worth", n)
	}
	l.now = l.now.Add(time.Second)
	if n := answered("198.51.100.1:2", 500); n != 10 {
		t.Errorf("a second later, from another port: %d answers, want 10", n)
	}
	if n := answered("[2001:db8::1]:1", 500); n != 100 {
		t.Errorf("from elsewhere: %d answers", n)
	}
	if n := answered("[2001:db8::ffff:1]:1", 500); n != 0 {
		t.Errorf("from the same /64: %d answers", n)
	}
	n := 0
	for i := range 100 { // a site of 65,536 networks has the budget of ten
		n += answered(fmt.Sprintf("[2001:db8:1:%x::1]:1", i), 100)
	}
	if n != 1000 {
		t.Errorf("from a /48: %d answers, want 1000", n)
	}
	if n := answered("[2001:db8:2::1]:1", 500); n != 100 {
		t.Errorf("from another /48: %d answers", n)
	}
	tcp := l.peer("198.51.100.1:3", "x", "doctor")
	tcp.tuple.Transport = TCP
	for range 200 {
		if tcp.ask(challenge) == nil {
			t.Fatal("a stream, whose source is genuine, was not answered")
		}
	}

	// A wrong password costs budget, a right one does not.
	p := l.allocated("203.0.113.1:1", "x", "doctor")
	for range 300 {
		p.ok(stun.MethodRefresh)
		l.now = l.now.Add(time.Second / requestRate)
	}
	wrong := *p
	wrong.credential.Password = "wrong"
	n = 0
	for range 300 {
		if wrong.request(stun.MethodRefresh) != nil {
			n++
		}
	}
	if n != 10 { // the holder of an allocation has its own budget
		t.Errorf("wrong passwords got %d answers, want 10", n)
	}

	if n := testing.AllocsPerRun(1, func() {
		for i := range 1_000_000 {
			source := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
			l.strangers.take(l.now, network.Of(source), 10)
		}
	}); n != 0 {
		t.Errorf("a million sources cost %v allocations", n)
	}
}

// An attacker who forges requests from a client's network, knowing neither port nor nonce, must not
// deprive it of the 438 that it needs once an hour.
func TestAForgerDoesNotStarveARefresh(t *testing.T) {
	l := newLab(t)
	l.config.Limits.Unauthenticated = 10
	p := l.allocated("198.51.100.1:1000", "x", "doctor")
	forger := l.peer("198.51.100.1:9", "x", "doctor")
	binding := build(t, stun.MethodBinding, stun.ClassRequest)
	for range 8 { // rounds of refreshes every nine minutes
		for end := l.now.Add(9 * time.Minute); l.now.Before(end); l.now = l.now.Add(time.Second) {
			for range 20 {
				forger.raw(binding.Raw)
			}
		}
		answer := p.request(stun.MethodRefresh)
		if answer == nil {
			t.Fatalf("no answer after %v", l.now.Sub(start))
		}
		if answer.Type.Class == stun.ClassErrorResponse {
			if code := errorCode(t, answer); code != 438 {
				t.Fatalf("got %d", code)
			}
			p.nonce = text(t, answer, stun.AttrNonce)
			p.ok(stun.MethodRefresh)
		}
	}
	// An attacker who knows the port gets no more than a packet a second.
	stale := *p
	stale.nonce = "AAAAAAAAAAAAAAAA"
	n := 0
	for range 1000 {
		if stale.request(stun.MethodRefresh) != nil {
			n++
		}
	}
	if n > 10 {
		t.Errorf("%d stale requests were answered at once", n)
	}
}

// An appointment with dozens of allocations gets only the rate that a call needs, so that a few of
// them do not take the whole line.
func TestAllocationsOfAnAppointmentShareARate(t *testing.T) {
	l := newLab(t)
	const rate = 100_000
	l.limit(func(limits *Limits) { limits.AllocationRate = rate })
	var all []*peer
	for i := range 32 {
		p := l.allocated(fmt.Sprintf("198.51.100.1:%d", 1000+i), "x", []string{"doctor", "patient"}[i%2])
		all = append(all, p)
	}
	for i, p := range all {
		p.bind(0x4000, all[(i+1)%len(all)].relayed)
	}
	passed := 0
	for range 10_000 {
		l.now = l.now.Add(time.Millisecond)
		for i := range 4 {
			if _, out := all[(passed+i)%len(all)].channelData(0x4000, strings.Repeat("v", 1000)); len(out) > 0 {
				passed += 1000
			}
		}
	}
	if least, most := 9*appointmentShare*rate, 11*appointmentShare*rate; passed < least || passed > most {
		t.Errorf("%d bytes passed in ten seconds, want %d to %d", passed, least, most)
	}
}

// A 420 lists only some of the unknown attributes: a message has room for hundreds.
func TestManyUnknownAttributes(t *testing.T) {
	l := newLab(t)
	p := l.allocated("198.51.100.1:1000", "x", "doctor")
	var unknown []stun.Setter
	for i := range 300 {
		unknown = append(unknown, raw{stun.AttrType(0x7000 + i), nil})
	}
	answer := p.request(stun.MethodRefresh, unknown...)
	if code := errorCode(t, answer); code != 420 {
		t.Fatalf("got %d", code)
	}
	if named, err := answer.Get(stun.AttrUnknownAttributes); err != nil || len(named) != 2*maxUnknown {
		t.Errorf("%d bytes of names, %v", len(named), err)
	}
}

// A seat that sends requests without end is ignored for a while, whether it keeps its allocation or
// not, and however many credentials and addresses it uses.
func TestRequestsOfASeatAreBounded(t *testing.T) {
	l := newLab(t)
	limit := int(requestRate * budgetDepth / time.Second)
	p := l.allocated("198.51.100.1:1000", "x", "doctor")
	other := l.allocated("198.51.100.2:1000", "x", "patient")
	heard := 0
	for range 1_000 {
		if p.request(stun.MethodCreatePermission, xorPeer(other.relayed)) != nil {
			heard++
		}
	}
	if heard >= limit || heard < limit-10 {
		t.Errorf("%d of 1,000 requests were answered, want about %d", heard, limit)
	}
	other.ok(stun.MethodRefresh)
	l.now = l.now.Add(time.Second)
	p.ok(stun.MethodRefresh)
	churner := l.allocated("198.51.100.3:1000", "z", "doctor")
	cycles := 0
	for range 1_000 {
		if churner.request(stun.MethodRefresh, lifetime(0)) != nil &&
			churner.request(stun.MethodAllocate, requestedTransport(protocolUDP)) != nil {
			cycles++
		}
	}
	if cycles > limit/2 {
		t.Errorf("%d allocations came and went at once", cycles)
	}

	heard = 0
	for i := range 600 { // a new credential each, and an address
		p := l.peer(fmt.Sprintf("[2001:db8:0:%x::1]:1000", i), "y", "doctor")
		p.credential = l.mint("y", "doctor", 0, time.Duration(i)*time.Second)
		for range 10 {
			if p.request(stun.MethodRefresh) != nil {
				heard++
			}
		}
	}
	if heard > limit {
		t.Errorf("600 credentials of a seat got %d answers at once, want %d", heard, limit)
	}
}

// User names can be read on the wire: repeating one without its password costs its seat nothing,
// even from the same address and with its own nonce.
func TestAnOverheardNameSilencesNobody(t *testing.T) {
	l := newLab(t)
	p := l.allocated("198.51.100.1:1000", "x", "doctor")
	thief := l.peer("198.51.100.1:2000", "x", "doctor")
	thief.credential.Password = "guessed"
	for range 1_000 {
		thief.request(stun.MethodRefresh)
	}
	p.ok(stun.MethodRefresh)
}

// A client that only receives is not idle.
func TestAReceiverIsNotIdle(t *testing.T) {
	l := newLab(t)
	l.config.Limits.PerSeat = 2
	talker := l.allocated("198.51.100.1:1000", "x", "doctor")
	idler := l.allocated("198.51.100.2:1001", "x", "patient")
	watcher := l.allocated("198.51.100.2:1000", "x", "patient")
	watcher.permit(talker.relayed)
	talker.bind(0x4000, watcher.relayed)
	for range 40 {
		l.now = l.now.Add(time.Second)
		if _, out := talker.channelData(0x4000, "media"); len(out) == 0 {
			t.Fatal("it does not arrive")
		}
	}
	l.allocated("198.51.100.2:1002", "x", "patient")
	if !l.Holds(watcher.tuple) || l.Holds(idler.tuple) {
		t.Error("the receiver made room, and the idler did not")
	}
}

// A call over its rate loses large packets first, and never all of them. So does a call to which a
// peer outside sends too much.
func TestShapingDegradesACallAndDoesNotCutIt(t *testing.T) {
	outside := netip.MustParseAddrPort("203.0.113.5:5000")
	inside := func(t testing.TB) (*peer, netip.AddrPort) {
		l := newLab(t)
		a := l.allocated("198.51.100.1:1000", "x", "doctor")
		b := l.allocated("198.51.100.2:1000", "x", "patient")
		b.bind(0x4000, a.relayed)
		return a, b.relayed
	}
	open := func(t testing.TB) (*peer, netip.AddrPort) {
		l, _ := openLab(t)
		return l.allocated("198.51.100.1:1000", "x", "doctor"), outside
	}
	sends := func(p *peer, data string) bool { _, out := p.channelData(0x4000, data); return len(out) > 0 }
	gets := func(p *peer, data string) bool {
		_, out := p.Receive(p.now, p.relayed, outside, []byte(data), p.buf)
		return len(out) > 0
	}
	perAllocation := func(l *Limits, rate int) { l.AllocationRate = rate }
	inAll := func(l *Limits, rate int) { l.TotalRate = rate }
	for name, test := range map[string]struct {
		limit func(*Limits, int)
		lab   func(testing.TB) (*peer, netip.AddrPort)
		pass  func(*peer, string) bool
	}{
		"per allocation":              {perAllocation, inside, sends},
		"in all":                      {inAll, inside, sends},
		"per allocation, to a peer":   {perAllocation, open, sends},
		"per allocation, from a peer": {perAllocation, open, gets},
		"in all, from a peer":         {inAll, open, gets},
	} {
		t.Run(name, func(t *testing.T) {
			const rate = 100_000
			a, to := test.lab(t)
			l := a.lab
			l.limit(func(limits *Limits) { test.limit(limits, rate) })
			a.bind(0x4000, to)
			video, sound := strings.Repeat("v", 1000), strings.Repeat("s", 160)
			var passed, lost int
			for range 10_000 { // ten seconds: 1 MB/s of video, 8 kB/s of sound
				l.now = l.now.Add(time.Millisecond)
				if test.pass(a, video) {
					passed += len(video)
				}
				if l.now.Sub(start)%(20*time.Millisecond) == 0 && !test.pass(a, sound) {
					lost++
				}
			}
			if lost > 0 {
				t.Errorf("%d packets of sound were lost", lost)
			}
			if least, most := 9*rate, 11*rate; passed < least || passed > most {
				t.Errorf("%d bytes of video passed in ten seconds, want %d to %d", passed, least, most)
			}
			l.now = l.now.Add(time.Second)
			if _, out := a.send(to, "an indication"); len(out) == 0 {
				t.Error("a second later an indication is dropped")
			}
			for range 1000 {
				a.send(to, video)
			}
			l.dropped(a.send(to, video))
		})
	}
}

// TestLimitsChangeUnderACall: live allocations go on as they began, and new requests get the new
// limits. A wrong limit changes nothing.
func TestLimitsChangeUnderACall(t *testing.T) {
	l := newLab(t)
	a, b := l.allocated("198.51.100.1:1000", "x", "doctor"), l.allocated("198.51.100.2:1000", "x", "patient")
	a.bind(0x4000, b.relayed)
	b.bind(0x4000, a.relayed)
	before := l.config.Limits
	wrong := before
	wrong.PerSeat = 0
	if l.SetLimits(wrong, time.Hour) == nil || l.SetLimits(before, 0) == nil || l.config.Limits != before {
		t.Fatal("a limit of zero was taken")
	}
	few := before
	few.PerSeat, few.PerPrefix, few.Total = 1, 1, 1
	if err := l.SetLimits(few, time.Minute); err != nil {
		t.Fatal(err)
	}
	l.now = l.now.Add(5 * time.Minute) // past the new longest life
	talk := func() {
		for _, p := range []*peer{a, b} {
			p.bind(0x4000, map[*peer]*peer{a: b, b: a}[p].relayed)
		}
		for _, p := range []*peer{a, b} {
			if _, out := p.channelData(0x4000, "voice"); len(out) == 0 {
				t.Fatal("the call was cut")
			}
		}
	}
	a.ok(stun.MethodRefresh, lifetime(3600))
	b.ok(stun.MethodRefresh, lifetime(3600))
	l.now = l.now.Add(50 * time.Minute)
	talk()
	udp := requestedTransport(protocolUDP)
	if got := l.peer("198.51.100.3:1000", "x", "patient").refused(stun.MethodAllocate, udp); got != 486 {
		t.Errorf("a second allocation of a seat that may have one: %d", got)
	}
	if err := l.SetLimits(before, time.Minute); err != nil {
		t.Fatal(err)
	}
	short := l.allocated("198.51.100.3:1000", "x", "patient")
	l.now = l.now.Add(time.Minute)
	l.Sweep(l.now)
	if l.Holds(short.tuple) || l.Allocations() != 2 {
		t.Error("a new allocation outlived the new longest life, or an old one did not")
	}
	passed := func() (n int) {
		for range 100 {
			if _, out := a.channelData(0x4000, strings.Repeat("v", 1000)); len(out) > 0 {
				n++
			}
		}
		return n
	}
	talk()
	if n := passed(); n != 100 {
		t.Fatalf("%d of 100 pass without a rate", n)
	}
	l.limit(func(limits *Limits) { limits.AllocationRate = 10_000 })
	if n := passed(); n > 10 {
		t.Errorf("%d of 100 pass at 10000 bytes per second", n)
	}
}

// A test's credential gets no more than a check needs, whatever others may have, and its
// allocations end soon.
func TestATestIsBounded(t *testing.T) {
	l := newLab(t)
	l.limit(func(limits *Limits) { limits.PerSeat, limits.AllocationRate = 40, 0 })
	var held []*peer
	for i := range testAllocations {
		held = append(held, l.allocated(fmt.Sprintf("198.51.100.1:%d", 1000+i), "x", credential.Test))
	}
	more := l.peer("198.51.100.1:2000", "x", credential.Test)
	if code := more.refused(stun.MethodAllocate, requestedTransport(protocolUDP)); code != 486 {
		t.Errorf("one more: %d", code)
	}
	l.allocated("198.51.100.1:3000", "x", "doctor")
	// To itself, as a check does.
	a := held[0]
	a.bind(0x4000, a.relayed)
	passed := 0
	for range 10_000 {
		l.now = l.now.Add(time.Millisecond)
		if _, out := a.channelData(0x4000, strings.Repeat("v", 1000)); len(out) > 0 {
			passed += 1000
		}
	}
	if least, most := 9*testRate, 11*testRate; passed < least || passed > most {
		t.Errorf("%d bytes passed in ten seconds, want %d to %d", passed, least, most)
	}
	if got := lifetimeOf(t, a.ok(stun.MethodRefresh, lifetime(3600))); got > credential.TestLifetime {
		t.Errorf("refreshed for %v", got)
	}
	l.now = l.now.Add(credential.TestLifetime)
	l.Sweep(l.now)
	if l.Holds(a.tuple) {
		t.Error("it is still held")
	}
}

// TestTheClockIsSetBack by an hour: nobody waits for the old time to come back, and rates hold as
// before.
func TestTheClockIsSetBack(t *testing.T) {
	l := newLab(t)
	const rate = 100_000
	l.limit(func(l *Limits) { l.AllocationRate, l.TotalRate, l.Unauthenticated = rate, rate, 10 })
	a, b := l.allocated("198.51.100.1:1000", "x", "doctor"), l.allocated("198.51.100.2:1000", "x", "patient")
	a.bind(0x4000, b.relayed)
	b.bind(0x4000, a.relayed)
	stranger := l.peer("198.51.100.3:1000", "y", "doctor")
	flood := func() (media, answers int) {
		for range 100 {
			if _, out := a.channelData(0x4000, strings.Repeat("v", 1000)); len(out) > 0 {
				media++
			}
		}
		for range 1000 {
			if _, out := stranger.raw(stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw); len(out) > 0 {
				answers++
			}
		}
		return media, answers
	}
	media, answers := flood()
	if again, more := flood(); again > 0 || more > 0 {
		t.Fatalf("%d packets and %d answers above the limits", again, more)
	}
	l.now = l.now.Add(-time.Hour)
	if gotMedia, gotAnswers := flood(); gotMedia != media || gotAnswers != answers {
		t.Errorf("%d packets and %d answers, want %d and %d as before", gotMedia, gotAnswers, media, answers)
	}
	if again, more := flood(); again > 0 || more > 0 {
		t.Errorf("%d packets and %d answers above the limits", again, more)
	}
}
