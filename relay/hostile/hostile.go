// Package hostile attacks an appliance for its own operator and reports what it accepted:
// the proof that an installation is tight, or the list of where it is not.
//
// It is a client, made of bytes, and knows nothing of the server but what RFC 8656 and
// docs/relay.md promise: the server's own code never judges itself. Who calls it proves
// first that the appliance is theirs; a way on which their credential makes no allocation
// gets nothing else.
//
//	addresses.go    what no relay may reach, and how it is spelled
//	peers.go        forbidden peers, other appointments, and data without a permission
//	lengths.go      lengths that lie, and frames that do not end
//	requests.go     requests without a credential, with a wrong one, or for what is not served
//	web.go          the admin API for somebody without a token
//	wire.go         a TURN client that can say anything
//	sink.go         a socket on this host that should get nothing
//	pace.go         no more than the server's limits allow
//	report.go       what was refused, accepted, or could not be tried
//
// What a leaky relay would forward is sent to this host's own addresses alone, where
// somebody listens; of others' addresses only the answers to requests are judged.
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

// Seat is a TURN credential. Its username holds an appointment of its own.
type Seat struct{ Username, Password string }

// Target is the appliance of who attacks it.
type Target struct {
	// Addr is where all of it goes, HTTPS the port of its page.
	Addr  netip.Addr
	HTTPS uint16
	// TLS must refuse every certificate but the appliance's own.
	TLS *tls.Config
	// Ways are attacked side by side.
	Ways []check.Way
	// Seats are of two appointments, made for this. A way uses one, and the other is
	// the stranger there.
	Seats [2]Seat
	// Paired says that the relay serves the seats of an appointment alone. Else public
	// peers may be reached, and relayed addresses of others.
	Paired bool
	// Own are the addresses of this host.
	Own []netip.Addr
	// Web is what is asked over HTTP without a token.
	Web []Page
	// Revoke ends both appointments; what they opened is tried once more behind it.
	Revoke func(context.Context) error
	// Event, if there is one, is told what begins, and on which way; one call at a time.
	Event func(Group, *check.Way)

	times times // none: patient
}

// Run attacks. An error says that it came to no end; nothing can be said then.
func (t *Target) Run(ctx context.Context) (Report, error) {
	a := &attack{Target: t, strangers: newPace(unauthenticatedRate), users: [2]*pace{newPace(requestRate), newPace(requestRate)}, gone: map[check.Way]int{}}
	if t.times.answer == 0 {
		t.times = patient
	}
	sink, err := newSink(t.Own)
	if err != nil {
		return Report{}, fmt.Errorf("nothing can listen on this host: %w", err)
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

// attack is one under way.
type attack struct {
	*Target
	sink      *sink
	strangers *pace    // what is asked over UDP without a credential
	users     [2]*pace // what each seat asks

	mu    sync.Mutex
	tries []Try
	open  []check.Way // on which the credential makes allocations
	gone  map[check.Way]int
}

func (a *attack) event(group Group, w *check.Way) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.Event != nil {
		a.Event(group, w)
	}
}

// way attacks one, once an honest client of the appointment is served there.
func (a *attack) way(ctx context.Context, w check.Way, seat int) {
	honest, err := a.allocate(ctx, w, seat)
	if err != nil {
		for _, group := range []Group{Peers, Lengths, Requests} {
			a.untried(group, &w, "all of it", fmt.Errorf("no allocation is made for an honest client: %w", err))
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

// dial connects to the way's port. Over TLS the appliance's own certificate is shown.
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

// revoked asks once more with credentials whose appointments are over.
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
