// Package synthetic places small calls to the appliance through its own public name,
// on each way and in each family of addresses that clients use. So somebody learns of
// it before they do when a firewall before the host closes a port, a NAT forwards it no
// more, the name leads elsewhere, or another machine answers there.
//
// A call is an allocation and two seconds of sound through the relay and back, with the
// credential of a test: it needs no appointment and disturbs none.
package synthetic

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"praxisrelay/relay/check"
)

// remembered is how long a family is called in which the name has no address any more: an
// address that was lost is to be told of, and one that was given up not for ever.
const remembered = 15 * time.Minute

// load is two seconds of sound.
var load = check.Load{Packets: 100, Size: 160, Interval: 20 * time.Millisecond}

// Options say whom to call, and how.
type Options struct {
	Name string      // the appliance's, public
	Ways []check.Way // that clients are given
	// Key returns the SHA-256 of the public key that clients are shown a certificate
	// for: whoever shows another one is somebody else. Empty: there is none yet.
	Key func() []byte
	// Credential makes one of a test.
	Credential func() (username, password string, err error)
	// Paused reports whether no calls are placed: the relay is to refuse them.
	Paused func() bool
	Now    func() time.Time
	Log    *slog.Logger
}

// Call is the last one on a way, in a family.
type Call struct {
	Way    check.Way
	Family check.Family
	At     time.Time
	// Reason says why it failed, for programs, and Detail for people; empty: it did not.
	Reason check.Reason
	Detail string
	RTT    time.Duration // the median; zero where it failed
	// Sent and Received are packets, since calls began on this way, or began again.
	Sent, Received uint64
}

// Caller places calls. Any goroutine may use it.
type Caller struct {
	options  Options
	interval atomic.Int64
	changed  chan struct{}              // the interval was
	found    map[check.Family]time.Time // when the name last had an address, for Run alone

	mu    sync.Mutex
	calls []Call
}

// New makes a caller that places none yet.
func New(o Options) *Caller {
	return &Caller{options: o, changed: make(chan struct{}, 1), found: map[check.Family]time.Time{}}
}

// SetInterval says how often calls are placed, and has the next be placed at once; 0:
// never.
func (c *Caller) SetInterval(interval time.Duration) {
	if c.interval.Swap(int64(interval)) == int64(interval) {
		return
	}
	select {
	case c.changed <- struct{}{}:
	default: // it will look at it anyway
	}
}

// Calls returns the last call on each way. There are none before the first round, and
// while none are placed.
func (c *Caller) Calls() []Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.calls)
}

// Run places calls on all ways, at the interval that is set, until ctx is done.
func (c *Caller) Run(ctx context.Context) {
	var next <-chan time.Time // never
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.changed:
		case <-next:
		}
		next = nil
		var calls []Call
		if interval := time.Duration(c.interval.Load()); interval > 0 {
			next = time.After(interval)
			if !c.options.Paused() {
				calls = c.round(ctx)
			}
		}
		if ctx.Err() != nil {
			return
		}
		if c.options.Paused() { // since a moment ago, perhaps: what failed then did for that
			calls = nil
		}
		c.note(calls)
	}
}

// round places a call on each way, in each family in which the name has an address, or had
// one lately.
func (c *Caller) round(ctx context.Context) (calls []Call) {
	key := c.options.Key()
	username, password, err := c.options.Credential()
	if len(key) == 0 {
		err = check.Failure{Reason: check.NoReference, Err: errors.New("there is no certificate yet")}
	}
	var nowhere error
	for _, family := range []check.Family{check.IPv4, check.IPv6} {
		target := &check.Target{
			Host: c.options.Name, Family: family, Key: key, KeyFrom: check.FromFlag, Pinned: true,
			Username: username, Password: password,
		}
		_, unknown := target.Name().Run(ctx)
		now := c.options.Now()
		if unknown == nil {
			c.found[family] = now
		} else if hasNone(unknown) && now.Sub(c.found[family]) > remembered {
			nowhere = unknown
			continue
		}
		calls = append(calls, c.place(ctx, target, cmp.Or(err, unknown))...)
	}
	if len(calls) == 0 {
		calls = c.place(ctx, &check.Target{Family: check.IPv4}, nowhere)
	}
	return calls
}

// hasNone tells that a name has no address of a family, from that nobody knows.
func hasNone(err error) bool {
	if missing, ok := errors.AsType[*net.DNSError](err); ok {
		return missing.IsNotFound
	}
	_, ok := errors.AsType[*net.AddrError](err) // it is an address, of the other family
	return ok
}

// place places a call on each way at once, unless there is an error already.
func (c *Caller) place(ctx context.Context, target *check.Target, err error) []Call {
	calls := make([]Call, len(c.options.Ways))
	var placed sync.WaitGroup
	for i, way := range c.options.Ways {
		calls[i] = Call{Way: way, Family: target.Family, At: c.options.Now()}
		placed.Go(func() {
			var m check.Measured
			err := err
			if err == nil && way.Transport == check.UDP {
				_, err = target.Binding(way).Run(ctx) // finds the address that answers
			}
			if err == nil {
				m, err = target.Call(ctx, way, load)
			}
			calls[i].RTT, calls[i].Sent, calls[i].Received = m.RTT, uint64(m.Sent), uint64(m.Received)
			if err != nil {
				calls[i].Reason, calls[i].Detail = check.ReasonOf(err), err.Error()
			}
		})
	}
	placed.Wait()
	return calls
}

// note takes the calls of a round in place of those before, and says what has changed.
func (c *Caller) note(calls []Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range calls {
		call, before := &calls[i], Call{}
		for _, one := range c.calls {
			if one.Way == call.Way && one.Family == call.Family {
				before = one
			}
		}
		call.Sent, call.Received = call.Sent+before.Sent, call.Received+before.Received
		where := []any{"way", call.Way.String(), "family", call.Family.String()}
		switch {
		case call.Reason == before.Reason:
		case call.Reason != "":
			c.options.Log.Warn("a call through the public name fails", append(where, "reason", string(call.Reason), "error", call.Detail)...)
		default:
			c.options.Log.Info("calls through the public name arrive again", where...)
		}
	}
	c.calls = calls
}
