// Package hostile attacks an appliance on behalf of its own operator and reports what it accepted:
// proof that an installation is tight, or a list of its leaks.
//
// It is a client that writes raw bytes and knows only what RFC 8656 and docs/relay.md promise, so
// that the server's code never judges itself. The caller first proves that the appliance is theirs:
// a way on which their credential makes no allocation is not attacked.
//
//	addresses.go    addresses that no relay may reach, and their spellings
//	peers.go        forbidden peers, other appointments, and data without a permission
//	lengths.go      lengths that lie, and frames that do not end
//	requests.go     requests without a credential, with a wrong one, or for unserved features
//	web.go          the admin API without a token
//	wire.go         a TURN client that can send anything
//	sink.go         a socket on this host that should receive nothing
//	pace.go         a rate within the server's limits
//	report.go       what was refused, accepted, or could not be tried
//
// Data that a leaky relay would forward is only sent to this host's own addresses, where the sink
// listens. For other addresses only the answers to requests are judged.
package hostile

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"

	"praxisrelay/relay/check"
)

// Seat is a TURN credential, each for its own appointment.
type Seat struct{ Username, Password string }

// Target is the appliance to attack. It belongs to the caller.
type Target struct {
	// Addr is the appliance's address, HTTPS the port of its page.
	Addr  netip.Addr
	HTTPS uint16
	// TLS must refuse every certificate except the appliance's own.
	TLS *tls.Config
	// Ways are attacked in parallel.
	Ways []check.Way
	// Seats belong to two appointments made for the attack. Each way uses one; the other is the
	// stranger there.
	Seats [2]Seat
	// Paired means that the relay connects only the seats of one appointment. Otherwise public
	// peers, and others' relayed addresses, may be reached.
	Paired bool
	// Own are the addresses of this host.
	Own []netip.Addr
	// Web lists the HTTP requests to make without a token.
	Web []Page
	// Revoke revokes both appointments; afterwards their credentials are tried once more.
	Revoke func(context.Context) error
	// Event, if set, is called with what begins, and on which way; one call at a time.
	Event func(Group, *check.Way)

	times times // zero: patient
}

// Run attacks. After an error the attack is incomplete and the report proves nothing.
func (t *Target) Run(ctx context.Context) (Report, error) {
	a := &attack{
		Target: t, strangers: newPace(unauthenticatedRate),
		users: [2]*pace{newPace(requestRate), newPace(requestRate)}, gone: map[check.Way]int{},
	}
	if t.times.answer == 0 {
		t.times = patient
	}
	sink, err := newSink(t.Own)
	if err != nil {
		return Report{}, fmt.Errorf("no socket can be opened on this host: %w", err)
	}
	defer sink.close()
	a.sink = sink
	var running sync.WaitGroup
	for i, w := range t.Ways {
		running.Go(func() { a.way(ctx, w, i%2) })
	}
	running.Go(func() { a.web(ctx) })
	running.Wait()
	if ctx.Err() == nil {
		a.revoked(ctx)
	}
	return a.report(), ctx.Err()
}

// attack is the state of a running attack.
type attack struct {
	*Target
	sink      *sink
	strangers *pace    // of requests over UDP without a credential
	users     [2]*pace // of requests of each seat

	mu    sync.Mutex
	tries []Try
	open  []check.Way // ways on which the credential makes allocations
	gone  map[check.Way]int
}

func (a *attack) event(group Group, w *check.Way) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.Event != nil {
		a.Event(group, w)
	}
}

// way attacks one way, if it serves an honest client of the appointment.
func (a *attack) way(ctx context.Context, w check.Way, seat int) {
	honest, err := a.allocate(ctx, w, seat)
	if err != nil {
		for _, group := range []Group{Peers, Lengths, Requests} {
			a.untried(group, &w, "all of it", fmt.Errorf("an honest client gets no allocation: %w", err))
		}
		return
	}
	a.mu.Lock()
	a.open = append(a.open, w)
	a.mu.Unlock()
	var slow sync.WaitGroup
	slow.Go(func() { a.lengths(ctx, w, seat) })
	a.peers(ctx, honest)
	a.requests(ctx, w, seat)
	slow.Wait()
}

// dial connects to the way's port. Over TLS it requires the appliance's own certificate.
func (a *attack) dial(ctx context.Context, w check.Way) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, a.times.answer)
	defer cancel()
	network := "tcp"
	if w.Transport == check.UDP {
		network = "udp"
	}
	address := net.JoinHostPort(a.Addr.String(), strconv.Itoa(int(w.Port)))
	if w.Transport == check.TLS {
		return (&tls.Dialer{Config: a.TLS}).DialContext(ctx, network, address)
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

// revoked tries the credentials again after their appointments were revoked.
func (a *attack) revoked(ctx context.Context) {
	if len(a.open) == 0 {
		return
	}
	const name = "Allocate with a revoked credential"
	if err := a.Revoke(ctx); err != nil {
		a.untried(Requests, nil, name, err)
		return
	}
	for i, w := range a.Ways {
		if slices.Contains(a.open, w) {
			a.allocateAnyway(ctx, w, i%2, name, nil, udpTransport)
		}
	}
}
