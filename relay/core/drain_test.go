package core

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v3"

	"praxisrelay/relay/credential"
)

// TestDrain: appointments with a call go on and come back, others get 508, and a call is over when
// nobody is left or the partner stays away.
func TestDrain(t *testing.T) {
	l := newLab(t)
	udp := requestedTransport(protocolUDP)
	wants := func(what, address, appointment, seat string, want int) *peer {
		t.Helper()
		p := l.peer(address, appointment, seat)
		if got := p.refused(stun.MethodAllocate, udp); got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
		return p
	}
	calls := func(what string, want int) {
		t.Helper()
		l.Sweep(l.now)
		if got := l.Calls(l.now); got != want {
			t.Errorf("%s: %d calls, want %d", what, got, want)
		}
	}
	end := func(p *peer) { p.ok(stun.MethodRefresh, lifetime(0)) }
	x := []*peer{l.allocated("198.51.100.1:1", "x", "doctor"), l.allocated("198.51.100.2:1", "x", "patient")}
	y := []*peer{l.allocated("198.51.100.1:2", "y", "doctor"), l.allocated("198.51.100.3:1", "y", "patient")}
	waits := l.allocated("198.51.100.1:3", "z", "doctor")
	calls("before", 2)
	l.Drain(l.now, true)
	calls("draining", 2)
	if waits.ok(stun.MethodRefresh, lifetime(600)); !l.Holds(waits.tuple) ||
		l.Admits(l.now, id("z")) || !l.Admits(l.now, id("x")) {
		t.Error("what lives was touched, or the wrong ones are admitted")
	}
	wants("the partner of who waits", "198.51.100.4:1", "z", "patient", 508)
	wants("a new appointment", "198.51.100.4:2", "w", "patient", 508)
	wants("a call on another network", "198.51.100.5:1", "x", "patient", 0)

	end(y[1]) // the page is reloaded
	l.now = l.now.Add(time.Minute)
	calls("without the patient", 2)
	again := wants("the patient who comes back", "198.51.100.3:2", "y", "patient", 0)
	l.now = l.now.Add(time.Minute)
	calls("with the patient", 2)

	end(again)
	end(y[0])
	calls("after both have hung up", 1)
	wants("both, who lost their network at once", "198.51.100.1:4", "y", "doctor", 0)
	wants("both, who lost their network at once", "198.51.100.3:4", "y", "patient", 0)
	calls("with both again", 2)

	end(x[1])
	for _, a := range l.appointments[id("x")].members {
		if a.seat == "patient" {
			l.end(l.now, a, EndedByTime)
			break
		}
	}
	l.now = l.now.Add(reunion)
	calls("the doctor waits in vain", 1)
	wants("the patient who comes too late", "198.51.100.2:9", "x", "patient", 508)
	l.Drain(l.now, false)
	wants("the patient, after the drain", "198.51.100.2:10", "x", "patient", 0)
	wants("a new appointment, after the drain", "198.51.100.4:3", "w", "patient", 0)
}

// TestDrainOfTheOpenRelay: an appointment whose partner is elsewhere has a call too, while media
// flows.
func TestDrainOfTheOpenRelay(t *testing.T) {
	l, _ := openLab(t)
	a := l.allocated("198.51.100.1:1000", "x", "doctor")
	a.bind(0x4000, netip.MustParseAddrPort("203.0.113.5:5000"))
	if got := l.Calls(l.now); got != 0 {
		t.Errorf("before anything is sent: %d calls", got)
	}
	a.channelData(0x4000, "media")
	l.now = l.now.Add(idle / 2)
	if got := l.Calls(l.now); got != 1 {
		t.Errorf("while media flows: %d calls", got)
	}
	l.now = l.now.Add(idle)
	if got := l.Calls(l.now); got != 0 {
		t.Errorf("after it has ended: %d calls", got)
	}
	test := l.allocated("198.51.100.1:2000", "y", credential.Test)
	test.bind(0x4000, test.relayed)
	if _, out := test.channelData(0x4000, "media"); len(out) == 0 {
		t.Fatal("a test's media does not flow")
	}
	if got := l.Calls(l.now); got != 0 {
		t.Errorf("while a test's media flows: %d calls", got)
	}
}
