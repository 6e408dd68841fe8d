package synthetic

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"praxisrelay/relay/check"
)

// nobody returns a loopback port on which nothing listens.
func nobody(t *testing.T) uint16 {
	t.Helper()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer closed.Close()
	return closed.Addr().(*net.TCPAddr).AddrPort().Port()
}

func options(t *testing.T) (o Options, log *bytes.Buffer) {
	log = new(bytes.Buffer)
	return Options{
		Name: "127.0.0.1", Ways: []check.Way{{Transport: check.TCP, Port: nobody(t)},
			{Transport: check.TLS, Port: nobody(t)}},
		Key:        func() []byte { return make([]byte, 32) },
		Credential: func() (string, string, error) { return "user", "password", nil },
		Paused:     func() bool { return false },
		Now:        time.Now,
		Log:        slog.New(slog.NewTextHandler(log, nil)),
	}, log
}

// TestWhyACallFails: each way and family that should be called has a reason, even if nothing could
// be called.
func TestWhyACallFails(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Options)
		want   check.Reason
		family check.Family
	}{
		"nobody listens":     {nil, check.Refused, check.IPv4},
		"nobody, by IPv6":    {func(o *Options) { o.Name = "::1" }, check.Refused, check.IPv6},
		"the name is gone":   {func(o *Options) { o.Name = "relay.invalid" }, check.NoAddress, check.IPv4},
		"no certificate yet": {func(o *Options) { o.Key = func() []byte { return nil } }, check.NoReference, check.IPv4},
		"no credential at all": {func(o *Options) {
			o.Credential = func() (string, string, error) { return "", "", fmt.Errorf("none") }
		}, check.Other, check.IPv4},
	} {
		t.Run(name, func(t *testing.T) {
			o, _ := options(t)
			if test.change != nil {
				test.change(&o)
			}
			calls := New(o).round(t.Context())
			if len(calls) != len(o.Ways) {
				t.Fatalf("%d calls, want %d", len(calls), len(o.Ways))
			}
			for i, call := range calls {
				if call.Way != o.Ways[i] || call.Family != test.family || call.Reason != test.want ||
					call.Detail == "" || call.RTT != 0 {
					t.Errorf("%+v, want %s over %s", call, test.want, test.family)
				}
			}
		})
	}
}

// TestALostAddressIsReported: for a while its family is still called, and then only the others.
func TestALostAddressIsReported(t *testing.T) {
	o, _ := options(t)
	now := time.Now()
	o.Now = func() time.Time { return now }
	c := New(o)
	c.found[check.IPv6] = now // and the name is 127.0.0.1
	reasons := func() (got string) {
		for _, call := range c.round(t.Context()) {
			got += fmt.Sprintf("%s %s, ", call.Family, call.Reason)
		}
		return got
	}
	if got := reasons(); got != "IPv4 refused, IPv4 refused, IPv6 no-address, IPv6 no-address, " {
		t.Errorf("at first: %s", got)
	}
	now = now.Add(remembered + time.Second)
	if got := reasons(); got != "IPv4 refused, IPv4 refused, " {
		t.Errorf("later: %s", got)
	}
}

// TestOnlyChangesAreLogged, and packets are summed over all calls on a way.
func TestOnlyChangesAreLogged(t *testing.T) {
	o, log := options(t)
	c := New(o)
	for i, reason := range []check.Reason{"", "", check.Silence, check.Silence, check.Refused, "", ""} {
		log.Reset()
		c.note([]Call{
			{Way: o.Ways[0], Family: check.IPv4, Reason: reason, Sent: 100, Received: 90},
			{Way: o.Ways[0], Family: check.IPv6, Sent: 100, Received: 100},
		})
		want := map[int]string{2: "level=WARN", 4: "level=WARN", 5: "level=INFO"}[i]
		if got := log.String(); (got == "") != (want == "") || !strings.Contains(got, want) ||
			strings.Contains(got, "IPv6") {
			t.Errorf("call %d logs %q, want %q", i, got, want)
		}
	}
	if calls := c.Calls(); calls[0].Sent != 700 || calls[0].Received != 630 || calls[1].Received != 700 {
		t.Errorf("%+v", calls)
	}
}

// TestCallsArePlacedAtTheInterval, and neither without one nor while they are paused.
func TestCallsArePlacedAtTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rounds atomic.Int64
		var paused atomic.Bool
		o, _ := options(t)
		o.Ways = o.Ways[:1]
		o.Credential = func() (string, string, error) {
			rounds.Add(1)
			return "", "", fmt.Errorf("no call leaves the bubble")
		}
		o.Paused = paused.Load
		c := New(o)
		go c.Run(t.Context())
		for _, step := range []struct {
			do           func()
			rounds, have int // after it, and an hour
		}{
			{func() { c.SetInterval(time.Minute) }, 60, 1},
			{func() { c.SetInterval(0) }, 0, 0},
			{func() { c.SetInterval(time.Minute) }, 60, 1},
			{func() { c.SetInterval(time.Minute) }, 60, 1}, // nothing has changed
			{func() { c.SetInterval(30 * time.Minute) }, 2, 1},
			{func() { paused.Store(true) }, 0, 0},
			{func() { paused.Store(false) }, 2, 1},
			{func() { c.SetInterval(0) }, 0, 0},
		} {
			rounds.Store(0)
			step.do()
			time.Sleep(time.Hour - time.Second)
			synctest.Wait()
			if placed, have := int(rounds.Load()), len(c.Calls()); placed != step.rounds ||
				have != step.have {
				t.Errorf("%d rounds in an hour and %d calls, want %d and %d", placed, have,
					step.rounds, step.have)
			}
			time.Sleep(time.Second - time.Millisecond)
		}
	})
}
