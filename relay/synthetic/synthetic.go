// Package synthetic places small calls to the appliance through its own public name, on each way
// and in each address family that clients use. So the operator learns before clients do that a
// firewall in front of the host closed a port, a NAT stopped forwarding it, the name leads
// elsewhere, or another machine answers there.
//
// A call is an allocation and two seconds of sound through the relay and back, with a test's
// credential: it needs no appointment and disturbs none.
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

// remembered is how long a family is still called after the name lost its address in it: a loss
// must be noticed, but an address that was given up must not alarm forever.
const remembered = 15 * time.Minute

// load is two seconds of sound.
var load = check.Load{Packets: 100, Size: 160, Interval: 20 * time.Millisecond}

// Options configure a caller.
type Options struct {
	Name string      // the appliance's public name
	Ways []check.Way // the ways that clients are given
	// Key returns the SHA-256 of the public key in the certificate that clients are shown: anything
	// that shows another one is not the appliance. Empty: there is none yet.
	Key func() []byte
	// Credential makes a test's credential.
	Credential func() (username, password string, err error)
	// Paused reports whether to place no calls, because the relay refuses them.
	Paused func() bool
	Now    func() time.Time
	Log    *slog.Logger
}

// Call is the last call on a way, in a family.
type Call struct {
	Way    check.Way
	Family check.Family
	At     time.Time
	// Reason is why it failed, for programs, and Detail is for people; empty: it succeeded.
	Reason check.Reason
	Detail string
	RTT    time.Duration // the median; zero if it failed
	// Sent and Received count packets since calls on this way began, or resumed.
	Sent, Received uint64
}

// Caller places calls. It is safe for concurrent use.
type Caller struct {
	options  Options
	interval atomic.Int64
	changed  chan struct{}              // signals a changed interval
	found    map[check.Family]time.Time // when the name last had an address; used only by Run

	mu    sync.Mutex
	calls []Call
}

// New makes a caller that does not place calls yet.
func New(o Options) *Caller {
	return &Caller{options: o, changed: make(chan struct{}, 1), found: map[check.Family]time.Time{}}
}

// SetInterval sets how often calls are placed, the next one at once; 0: never.
func (c *Caller) SetInterval(interval time.Duration) {
	if c.interval.Swap(int64(interval)) == int64(interval) {
		return
	}
	select {
	case c.changed <- struct{}{}:
	default: // a signal is already pending
	}
}

// Calls returns the last call on each way. There are none before the first round, or while calls
// are off or paused.
func (c *Caller) Calls() []Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.calls)
}

// Run places calls on all ways, at the current interval, until ctx is done.
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
		if c.options.Paused() { // perhaps only just now, and calls failed for that reason
			calls = nil
		}
		c.note(calls)
	}
}

// round places a call on each way, in each family in which the name has, or recently had, an
// address.
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

// hasNone reports whether a name is known to have no address of a family.
func hasNone(err error) bool {
	if missing, ok := errors.AsType[*net.DNSError](err); ok {
		return missing.IsNotFound
	}
	_, ok := errors.AsType[*net.AddrError](err) // the name is an address of the other family
	return ok
}

// place places a call on each way, in parallel, or fails them all with a prior error.
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

// note replaces the calls by those of a new round, and logs what has changed.
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
			c.options.Log.Warn("a call through the public name fails",
				append(where, "reason", string(call.Reason), "error", call.Detail)...)
		default:
			c.options.Log.Info("calls through the public name arrive again", where...)
		}
	}
	c.calls = calls
}
