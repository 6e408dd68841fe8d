package core

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pion/stun/v3"
)

// observed returns a lab that records its events in a short form.
func observed(t *testing.T, change func(*Config)) (l *lab, next func() []string) {
	t.Helper()
	l = newLab(t)
	var events []string
	config := l.config
	config.Observe = func(e Event) {
		switch e.Kind {
		case Granted:
			events = append(events, e.Seat+" granted")
		case Permitted:
			events = append(events, e.Seat+" permitted")
		case Ended:
			events = append(events, fmt.Sprintf("%s ended %s after %d", e.Seat, e.Reason,
				e.Traffic.Sent.Media))
		case Refused:
			events = append(events, fmt.Sprintf("%s %s %d %s %v", e.Seat, e.Method, e.Code, e.Reason,
				e.Proven))
		}
		if e.Appointment != id("x") {
			t.Errorf("an event of %q", e.Appointment)
		}
	}
	if change != nil {
		change(&config)
	}
	l = newLabWith(t, config, l.keys)
	return l, func() []string { defer func() { events = nil }(); return events }
}

// TestEventsAreReported, each once and with its reason, for clients that name an appointment.
func TestEventsAreReported(t *testing.T) {
	l, next := observed(t, func(c *Config) { c.Limits.PerSeat = 2 })
	want := func(what string, events ...string) {
		t.Helper()
		if got := next(); !slices.Equal(got, events) {
			t.Errorf("%s: %q, want %q", what, got, events)
		}
	}
	doctor := l.allocated("198.51.100.1:1000", "x", "doctor")
	patient := l.allocated("198.51.100.2:1000", "x", "patient")
	want("allocations, whose first request is anonymous", "doctor granted", "patient granted")
	again := doctor.build(stun.MethodAllocate, requestedTransport(protocolUDP))
	doctor.ask(again)
	want("another allocation on the same 5-tuple", "doctor Allocate 437  true")
	for range 2 {
		doctor.permit(patient.relayed)
		patient.bind(0x4000, doctor.relayed)
	}
	want("permissions, and the same again", "doctor permitted", "patient permitted")
	other := l.allocated("198.51.100.2:1006", "x", "patient")
	other.permit(netip.AddrPortFrom(relayed, 22))
	other.ok(stun.MethodRefresh, lifetime(0))
	want("a permission that names another port of the partner's address", "patient granted",
		"patient permitted", "patient ended released after 0")
	doctor.refused(stun.MethodCreatePermission, xorPeer(netip.MustParseAddrPort("203.0.113.5:5000")))
	want("a stranger", "doctor CreatePermission 403  true")

	other = l.peer("198.51.100.2:1001", "x", "patient")
	other.credential.Password = "guessed"
	other.refused(stun.MethodAllocate, requestedTransport(protocolUDP))
	want("a wrong password", "patient Allocate 401 wrong_password false")
	stale := l.peer("198.51.100.2:1002", "x", "patient")
	stale.nonce = "AAAAAAAAAAAAAAAA"
	stale.refused(stun.MethodAllocate, requestedTransport(protocolUDP))
	want("an old nonce", "patient Allocate 438  false")
	expired := l.peer("198.51.100.2:1003", "x", "patient")
	expired.credential = l.mint("x", "patient", 0, 0)
	expired.refused(stun.MethodAllocate, requestedTransport(protocolUDP))
	want("an expired credential", "patient Allocate 401 expired true")
	l.allocated("198.51.100.2:1004", "x", "patient")
	l.peer("198.51.100.2:1005", "x", "patient").refused(stun.MethodAllocate, requestedTransport(protocolUDP))
	want("more than a seat may have", "patient granted", "patient Allocate 486 max_per_seat true")
	stranger := l.peer("198.51.100.9:1000", "x", "patient")
	stranger.credential.Username = "nobody"
	stranger.refused(stun.MethodAllocate, requestedTransport(protocolUDP))
	want("one who names no appointment")

	patient.channelData(0x4000, "\x80media")
	patient.ok(stun.MethodRefresh, lifetime(0))
	want("a Refresh with a lifetime of zero", "patient ended released after 6")
	l.Revoke(l.now, id("x"), "patient", 1)
	want("a revocation", "patient ended revoked after 0")
	l.now = l.now.Add(DefaultLifetime)
	l.Sweep(l.now)
	want("an expiry", "doctor ended expired after 0")
	stream := l.peer("198.51.100.1:1001", "x", "doctor")
	stream.tuple.Transport, stream.tuple.Conn = TCP, 1
	stream.allocate()
	l.Disconnected(l.now, stream.tuple)
	want("a lost stream", "doctor granted", "doctor ended stream_lost after 0")
	idle := l.allocated("198.51.100.1:1002", "x", "doctor")
	for l.Holds(idle.tuple) {
		idle.nonce = "" // it lives for an hour
		idle.ask(idle.build(stun.MethodRefresh, lifetime(uint32(MaxLifetime/time.Second))))
		l.now = l.now.Add(MaxLifetime - time.Minute)
		l.Sweep(l.now)
	}
	want("the longest life", "doctor granted", "doctor ended max_session after 0")
}

// TestTrafficIsCountedByKind: checks, answers and media, each for its sender.
func TestTrafficIsCountedByKind(t *testing.T) {
	l := newLab(t)
	doctor := l.allocated("198.51.100.1:1000", "x", "doctor")
	patient := l.allocated("198.51.100.2:1000", "x", "patient")
	l.allocated("198.51.100.3:1000", "y", "patient")
	doctor.bind(0x4000, patient.relayed)
	check, answer := "\x00\x01....", "\x01\x01.."
	doctor.channelData(0x4000, "\x80lost: nobody lets it in")
	patient.permit(doctor.relayed)
	doctor.channelData(0x4000, check)
	first := l.now
	doctor.channelData(0x4000, "\x80media")
	l.now = l.now.Add(time.Minute)
	doctor.channelData(0x4000, "\x80media")
	patient.send(doctor.relayed, answer)
	held := l.Held(l.now, id("x"))
	if len(held) != 2 || held[0].Seat != "doctor" || !held[0].Permitted || !held[1].Permitted {
		t.Fatalf("%+v", held)
	}
	want := Flow{Checks: 6, Media: 12, Last: l.now, FirstMedia: first, LastMedia: l.now}
	got := held[0].Traffic.Sent
	if got.Last.Equal(want.Last) && got.FirstMedia.Equal(want.FirstMedia) &&
		got.LastMedia.Equal(want.LastMedia) {
		got.Last, got.FirstMedia, got.LastMedia = want.Last, want.FirstMedia, want.LastMedia
	}
	if got != want {
		t.Errorf("the doctor sent %+v, want %+v", got, want)
	}
	if f := held[1].Traffic.Sent; f.Answers != 4 || f.Checks+f.Media != 0 || !f.FirstMedia.IsZero() {
		t.Errorf("the patient sent %+v", f)
	}
	if l.Held(l.now, id("z")) != nil {
		t.Error("an unknown appointment holds something")
	}
}
