package logs

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"praxisrelay/config"
)

// lab is a log with a clock that the test controls.
type lab struct {
	*Log
	out strings.Builder
	at  time.Time
}

func newLab(level slog.Level) *lab {
	l := &lab{at: time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)}
	l.Log = New(&l.out, level, config.Pseudonym, func() time.Time { return l.at })
	return l
}

// lines returns the lines written since the last call, without their times.
func (l *lab) lines() (lines []string) {
	for line := range strings.Lines(l.out.String()) {
		_, line, _ = strings.Cut(line, " ")
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	l.out.Reset()
	return lines
}

func (l *lab) expect(t *testing.T, want ...string) {
	t.Helper()
	if got := l.lines(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("written:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func address(n int) netip.Addr { return netip.AddrFrom4([4]byte{198, 51, 100, byte(n)}) }

func TestLineIsOneLine(t *testing.T) {
	l := newLab(slog.LevelInfo)
	l.Info("serving", "url", "https://relay.example.org/", "turn_udp",
		netip.MustParseAddrPort("192.0.2.1:3478"))
	l.Error("the registry cannot be read", "error", errors.New("one\ntwo"))
	l.With("by", "socket").WithGroup("a").Info("an event", "msg", "b c", "level", 1)
	l.expect(t, "level=INFO msg=serving url=https://relay.example.org/ turn_udp=192.0.2.1:3478",
		`level=ERROR msg="the registry cannot be read" error="one\ntwo"`,
		`level=INFO msg="an event" by=socket a.msg="b c" a.level=1`)
}

func TestFormats(t *testing.T) {
	now := time.Date(2026, 12, 1, 9, 0, 0, 0, time.Local)
	for level, want := range map[slog.Level]string{
		slog.LevelDebug: "<7>an event", slog.LevelInfo: "<6>an event", slog.LevelWarn: "<4>an event",
		slog.LevelError: "<3>an event",
	} {
		if got := forJournal(now, level, "an event"); got != want {
			t.Errorf("journal: %q, want %q", got, want)
		}
	}
	if got, want := forTerminal(now, slog.LevelWarn, "an event"), "09:00:00 WARN  an event"; got != want {
		t.Errorf("terminal: %q, want %q", got, want)
	}
}

// TestLevelIsChanged changes the level while the log is in use. Warnings are always kept as
// problems.
func TestLevelIsChanged(t *testing.T) {
	l := newLab(slog.LevelInfo)
	l.Debug("detail")
	l.Level.Set(slog.LevelError)
	l.Info("event")
	l.Warn("warning")
	l.Error("error")
	l.Level.Set(slog.LevelDebug)
	l.Debug("detail")
	l.expect(t, "level=ERROR msg=error", "level=DEBUG msg=detail")
	if got := l.Problems(); len(got) != 2 || got[0].Message != "error" || got[1].Message != "warning" {
		t.Errorf("%+v", got)
	}
}

func TestAddresses(t *testing.T) {
	morning := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	evening, tomorrow := morning.Add(14*time.Hour), morning.Add(15*time.Hour)
	a := addresses{kind: config.Pseudonym}
	name := func(now time.Time, address string) string { return a.name(now, netip.MustParseAddr(address)) }
	first := name(morning, "198.51.100.7")
	if len(first) != len("net-7KQ3XW") || !strings.HasPrefix(first, "net-") {
		t.Errorf("a pseudonym is %q", first)
	}
	for address, want := range map[string]bool{"198.51.100.7": true, "::ffff:198.51.100.7": true,
		"198.51.100.8": false} {
		if got := name(evening, address); (got == first) != want {
			t.Errorf("%s is %s, 198.51.100.7 is %s", address, got, first)
		}
	}
	six := name(morning, "2001:db8:0:1::1")
	if name(morning, "2001:db8:0:1:ffff::2") != six || name(morning, "2001:db8:0:2::1") == six {
		t.Error("IPv6 addresses do not stand for their /64")
	}
	key := a.key
	if next := name(tomorrow, "198.51.100.7"); next == first || a.key == key {
		t.Errorf("on the next day it is still %s", next)
	}
	for kind, want := range map[string][3]string{
		config.Prefix: {"198.51.100.0/24", "2001:db8:1::/48", "unknown"},
		config.Full:   {"198.51.100.7", "2001:db8:1:2::3", "unknown"},
	} {
		a := addresses{kind: kind}
		for i, client := range []netip.Addr{netip.MustParseAddr("198.51.100.7"),
			netip.MustParseAddr("2001:db8:1:2::3"), {}} {
			if got := a.name(morning, client); got != want[i] {
				t.Errorf("%s of %s is %s, want %s", kind, client, got, want[i])
			}
		}
	}
}

// TestRepeatsAreSummedUp checks that an event is summed up once a minute for as long as it repeats.
func TestRepeatsAreSummedUp(t *testing.T) {
	l := newLab(slog.LevelInfo)
	const message = "guessing is refused to a network"
	for i := range 4_000 {
		l.Warn(message, "guessed", "codes", "network", address(i%3))
	}
	const line = `level=WARN msg="guessing is refused to a network" guessed=codes `
	got := l.lines()
	if len(got) != 3 { // each network once
		t.Fatalf("written: %q", got)
	}
	for _, one := range got {
		if !strings.HasPrefix(one, line+"network=net-") {
			t.Error(one)
		}
	}
	l.at = l.at.Add(30 * time.Second)
	l.sumUp(period)
	l.expect(t)
	l.at = l.at.Add(30 * time.Second)
	l.sumUp(period)
	l.expect(t, line+"more=3997 within=1m0s networks=3")
	l.Warn(message, "guessed", "codes", "network", address(1))
	l.Warn(message, "guessed", "tokens", "network", address(1)) // another event
	if got := l.lines(); len(got) != 1 {
		t.Errorf("written: %q", got)
	}
	l.at = l.at.Add(time.Minute)
	l.sumUp(period)
	l.expect(t, line+"more=1 within=1m0s networks=1")
	for range 2 {
		l.at = l.at.Add(time.Minute)
		l.sumUp(period)
		l.expect(t)
	}
	if len(l.repeats) != 0 {
		t.Errorf("%d events are not forgotten", len(l.repeats))
	}
	if l.Warn(message, "guessed", "codes", "network", address(1)); len(l.lines()) != 1 {
		t.Error("an event that returns after a while is not written")
	}
}

// TestAFewAreWritten checks that a few repetitions are written as they are: an operator who reloads
// twice sees two lines.
func TestAFewAreWritten(t *testing.T) {
	l := newLab(slog.LevelInfo)
	for range written + 3 {
		l.Info("reloaded")
	}
	if got := l.lines(); len(got) != written {
		t.Errorf("written: %q", got)
	}
	l.at = l.at.Add(20 * time.Second)
	l.Close()
	l.expect(t, "level=INFO msg=reloaded more=3 within=20s")
}

// TestFloodIsBounded checks that a hundred thousand events from as many networks give a handful of
// lines, that events whose attributes keep changing give no more lines than maxEvents, and that
// memory does not grow.
func TestFloodIsBounded(t *testing.T) {
	l := newLab(slog.LevelInfo)
	for i := range 100_000 {
		network := netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)})
		l.Warn("guessing is refused to a network", "network", network)
		if i < 10*maxEvents {
			l.Error("the registry cannot be read", "error", fmt.Sprint("error ", i))
		}
	}
	if got := len(l.lines()); got > maxEvents+2*written {
		t.Errorf("%d lines", got)
	}
	if len(l.repeats) > maxEvents+2 || len(l.problems.kept) > maxProblems {
		t.Errorf("%d events and %d problems are kept", len(l.repeats), len(l.problems.kept))
	}
	for _, seen := range l.repeats {
		if len(seen.networks) > maxNetworks {
			t.Errorf("%d networks are kept", len(seen.networks))
		}
	}
	l.at = l.at.Add(time.Minute)
	l.sumUp(period)
	got := l.lines()
	const want = `level=WARN msg="guessing is refused to a network" more=99995 within=1m0s networks=1000-or-more`
	if len(got) != 2 || !strings.Contains(strings.Join(got, "\n"), want) {
		t.Errorf("written:\n%s", strings.Join(got, "\n"))
	}
}

// TestCountedEventsAreSummedUp checks that events with their own count give one line per period.
func TestCountedEventsAreSummedUp(t *testing.T) {
	l := newLab(slog.LevelInfo)
	for times := range uint64(4) {
		l.Warn("a limit is reached", "limit", "relay.total_rate", "times", times+10)
	}
	l.expect(t, `level=WARN msg="a limit is reached" limit=relay.total_rate times=10`)
	l.at = l.at.Add(time.Minute)
	l.sumUp(period)
	l.expect(t, `level=WARN msg="a limit is reached" limit=relay.total_rate more=36 within=1m0s`)
	if got := l.Problems(); len(got) != 1 || got[0].Count != 46 {
		t.Errorf("%+v", got)
	}
}

func TestProblemsAreTheLast(t *testing.T) {
	l := newLab(slog.LevelInfo)
	l.Info("serving")
	start := l.at
	l.Warn("a", "network", address(1))
	for i := range maxProblems - 1 {
		l.at = l.at.Add(time.Second)
		l.Error("b", "error", i)
	}
	l.Warn("a", "network", address(2)) // the same again
	l.Error("c")
	got := l.Problems()
	if len(got) != maxProblems || got[0].Message != "c" || got[1].Message != "a" || got[1].Count != 2 ||
		!got[1].First.Equal(start) || !got[1].Last.Equal(l.at) || got[len(got)-1].Details != "error=1" {
		t.Errorf("%+v", got)
	}
	if want := "network=" + l.addresses.name(l.at, address(2)); got[1].Details != want {
		t.Errorf("%q, want %q", got[1].Details, want)
	}
}

func BenchmarkRepeated(b *testing.B) {
	l := New(io.Discard, slog.LevelInfo, config.Pseudonym, time.Now)
	for b.Loop() {
		l.Warn("guessing is refused to a network", "guessed", "codes", "network", address(1))
	}
}
