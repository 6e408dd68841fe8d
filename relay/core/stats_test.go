package core

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v3"

	"praxisrelay/relay/credential"
)

// flat returns a core's statistics by name, without zeros.
func flat(s Stats) map[string]int {
	all := map[string]int{}
	note := func(name string, n int) {
		if n != 0 {
			all[name] = n
		}
	}
	for i, n := range s.Live {
		note("live "+Transport(i).String(), n)
	}
	for i, n := range s.Granted {
		note("granted "+Transport(i).String(), int(n))
	}
	for i, n := range s.Authentications {
		note("authentication "+Authentication(i).String(), int(n))
	}
	for i, n := range s.Limits {
		note("limit "+Limit(i).String(), int(n))
	}
	for i, n := range s.Drops {
		note("drop "+Drop(i).String(), int(n))
	}
	return all
}

// TestStatsCountWhatHappens: each event, and nothing else.
func TestStatsCountWhatHappens(t *testing.T) {
	for name, event := range map[string]struct {
		do   func(l *lab, p *peer) // a peer with an allocation
		want string
	}{
		"a release": {func(_ *lab, p *peer) { p.ok(stun.MethodRefresh, lifetime(0)) }, "authentication ok 1, live udp -1"},
		"no credential": {func(l *lab, p *peer) { p.raw(build(l, stun.MethodRefresh, stun.ClassRequest).Raw) },
			"authentication missing 1"},
		"a password": {func(_ *lab, p *peer) { p.credential.Password = "?"; p.refused(stun.MethodRefresh) },
			"authentication wrong_password 1"},
		"a username": {func(_ *lab, p *peer) { p.credential.Username = "?"; p.refused(stun.MethodRefresh) },
			"authentication unknown_user 1"},
		"a nonce": {func(_ *lab, p *peer) { p.nonce = "?"; p.refused(stun.MethodRefresh) },
			"authentication stale_nonce 1"},
		"an expired one": {func(l *lab, _ *peer) { l.late(8*time.Hour, nil) },
			"authentication expired 1, authentication missing 1, live udp -1"},
		"a revoked one": {func(l *lab, _ *peer) {
			l.late(0, func() { l.Revoke(l.now, id("other"), "doctor", 1) })
		}, "authentication missing 1, authentication revoked 1"},
		"no channel":    {func(_ *lab, p *peer) { p.channelData(0x4000, "x") }, "drop no_route 1"},
		"no message":    {func(_ *lab, p *peer) { p.raw([]byte{0x40, 0, 0, 9}) }, "drop malformed 1"},
		"no permission": {func(_ *lab, p *peer) { p.send(p.relayed, "x") }, "drop no_route 1"},
		"too much": {func(l *lab, p *peer) {
			p.bind(0x4000, p.relayed)
			l.limit(func(limits *Limits) { limits.AllocationRate = 1 })
			p.channelData(0x4000, strings.Repeat("x", 1000))
		}, "authentication ok 1, drop allocation_rate 1"},
		"too much in all": {func(l *lab, p *peer) {
			p.bind(0x4000, p.relayed)
			l.limit(func(limits *Limits) { limits.TotalRate = 1 })
			p.channelData(0x4000, strings.Repeat("x", 1000))
		}, "authentication ok 1, drop total_rate 1"},
		"no room": {func(l *lab, p *peer) {
			l.config.Limits.Total = 1
			l.peer("198.51.100.9:9", "other", "doctor").refused(stun.MethodAllocate,
				requestedTransport(protocolUDP))
		}, "authentication missing 1, authentication ok 1, limit max_allocations 1"},
		"somebody else": {func(l *lab, _ *peer) { l.allocated("198.51.100.9:9", "other", "doctor") },
			"authentication missing 1, authentication ok 1, granted udp 1, live udp 1"},
		"a test": {func(l *lab, _ *peer) { l.allocated("198.51.100.9:9", "other", credential.Test) },
			"authentication missing 1, authentication ok 1, live udp 1"},
		"a stranger in haste": {func(l *lab, p *peer) {
			l.config.Limits.Unauthenticated = 1
			for range 20 {
				l.peer("198.51.100.9:9", "other", "doctor").raw(build(l, stun.MethodBinding,
					stun.ClassRequest).Raw)
			}
		}, "limit unauthenticated_rate 10"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			p := l.allocated("198.51.100.1:1000", "a", "doctor")
			before := flat(l.Stats())
			event.do(l, p)
			got := flat(l.Stats())
			for name, n := range before {
				if got[name] -= n; got[name] == 0 {
					delete(got, name)
				}
			}
			want := map[string]int{}
			for part := range strings.SplitSeq(event.want, ", ") {
				i := strings.LastIndexByte(part, ' ')
				want[part[:i]] = map[string]int{"1": 1, "-1": -1, "10": 10}[part[i+1:]]
			}
			if !maps.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
}

// late makes an Allocate of another client with a credential made before the clock moved and
// happens ran.
func (l *lab) late(by time.Duration, happens func()) {
	other := l.peer("198.51.100.9:9", "other", "doctor")
	l.now = l.now.Add(by)
	if happens != nil {
		happens()
	}
	if code := other.refused(stun.MethodAllocate, requestedTransport(protocolUDP)); code != 401 {
		l.Errorf("%d, want 401", code)
	}
}
