// Package core is the STUN/TURN server as a pure state machine: the time, a client's 5-tuple and
// its bytes go in; an answer, or a packet for another client, comes out. It has no sockets,
// goroutines, timers or globals, so it can be tested under a simulated clock, fuzzed, and compared
// with other servers.
//
// The relay is paired unless [Config.Open] is set. In a paired relay, each appointment has its own
// set of relayed addresses, one per allocation. They are virtual: no socket is bound to them, and
// the core itself hands over what one client sends to another's relayed address. Addresses outside
// the set do not exist, so the relay cannot be made to send to a third party. In the open relay,
// all relayed addresses form one set, each has a socket, and peers outside are reachable where a
// policy permits.
//
// The core has three entry points. [Core.Handle] takes STUN messages and changes state; only one
// goroutine at a time may call it, or any other method not documented otherwise. [Core.Forward]
// takes ChannelData, which is the media, and [Core.Receive] takes what peers of the open relay
// send. Both read a table that Handle maintains, and any number of goroutines may call them.
//
// A request passes these checks, in this order: strict decoding; authentication, or the budget for
// unauthenticated answers; whether its 5-tuple has an allocation (437) and whose it is (441); then
// its method. An unauthenticated request leaves no state behind.
package core

import (
	"crypto/rand"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/pion/stun/v3"

	"praxisrelay/relay/credential"
	"praxisrelay/relay/rcu"
)

// Realm is the STUN realm. It is short, since every unauthenticated answer
// carries it (see [maxAmplification]).
const Realm = "praxisrelay"

// Lifetimes that RFC 8656 prescribes (sections 3.2, 9 and 12).
const (
	DefaultLifetime    = 10 * time.Minute
	permissionLifetime = 5 * time.Minute
	channelLifetime    = 10 * time.Minute
)

// Limits that RFC 8656 leaves to the server.
const (
	MaxLifetime    = time.Hour // of an allocation, per Refresh
	maxPermissions = 32        // per allocation; a browser needs about three per ICE generation
	maxChannels    = 32        // per allocation

	// MaxMessage is the size of the largest message accepted from a client, in bytes.
	MaxMessage = 2048
	// MaxOutput is the size of the largest packet sent: a Data indication around the largest
	// payload.
	MaxOutput = MaxMessage + 64
)

// Config configures a Core.
type Config struct {
	Keys *credential.Keyring
	// RelayedIPv4 and RelayedIPv6 are the IP addresses of relayed addresses. A family whose address
	// is not valid is not served (440).
	RelayedIPv4, RelayedIPv6 netip.Addr
	// MaxSession is the longest life of an allocation, however it is refreshed. See SetLimits.
	MaxSession time.Duration
	Limits     Limits
	// Open makes this an open relay; nil makes it a paired one.
	Open *Open
	// Listeners are the addresses of the UDP listeners, by index. If two IP addresses listen on the
	// same two ports, RFC 5780's tests are answered.
	Listeners []netip.AddrPort
	// Observe, if set, receives the events of clients. It runs inside the call that caused the
	// event, so it must be quick and must not call the Core.
	Observe func(Event)
}

// Open holds the open relay's additions: sockets, and a policy for peers.
type Open struct {
	FirstPort, LastPort uint16 // of relayed addresses
	// Bind opens the socket of a relayed address. After ErrTaken, another port is tried; after any
	// other error, none. Release closes the socket.
	Bind    func(netip.AddrPort) error
	Release func(netip.AddrPort)
	// Permits reports whether an address other than a relayed one may be reached, on ports from
	// MinPeerPort up.
	Permits     func(netip.Addr) bool
	MinPeerPort uint16
}

// ErrTaken means that another program holds a port.
var ErrTaken = errors.New("the port is taken")

// Core holds every allocation of the process.
type Core struct {
	config       Config
	nonces       nonces
	allocations  map[FiveTuple]*allocation
	appointments map[string]*appointment
	open         *space               // of the open relay
	prefixes     map[netip.Prefix]int // source prefix or site -> live allocations
	expiries     expiries
	revoked      map[string]revocation // by appointment
	calls        map[string]time.Time  // while draining: until when an appointment may allocate
	routes       *rcu.Map[routeKey, *route]
	strangers    *budgets[netip.Prefix] // for unauthenticated answers, by source prefix or site
	requests     *budgets[seat]         // for authenticated requests
	total        meter
	rates        rates
	alternates   []*alternate // by UDP listener
	own          [stun.TransactionIDSize]byte
	stats        Stats // except Drops
	dropped      *dropCounts

	// State of the message being handled.
	now     time.Time
	request request
	answer  stun.Message
	code    stun.ErrorCode // of the answer; zero: success
}

// New returns a Core without allocations.
func New(config Config) (*Core, error) {
	if config.Keys == nil {
		return nil, errors.New("the relay needs a TURN secret")
	}
	if !config.RelayedIPv4.Is4() && !config.RelayedIPv6.Is6() {
		return nil, errors.New("the relay needs an IPv4 or IPv6 address for its relayed addresses")
	}
	c := &Core{
		config:       config,
		allocations:  map[FiveTuple]*allocation{},
		appointments: map[string]*appointment{},
		prefixes:     map[netip.Prefix]int{},
		revoked:      map[string]revocation{},
		routes:       rcu.New[routeKey, *route](),
		strangers:    newBudgets[netip.Prefix](),
		requests:     newBudgets[seat](),
		alternates:   alternates(config.Listeners),
		stats:        newStats(),
		dropped:      new(dropCounts),
	}
	if err := c.SetLimits(config.Limits, config.MaxSession); err != nil {
		return nil, err
	}
	if open := config.Open; open != nil {
		if open.Permits == nil || open.Bind == nil || open.Release == nil || open.FirstPort > open.LastPort {
			return nil, errors.New("the open relay needs sockets, ports and a policy")
		}
		c.open = newSpace()
	}
	rand.Read(c.nonces.key[:])
	rand.Read(c.own[:])
	return c, nil
}

// Own is the transaction ID of a Binding request that is answered even when its source's budget is
// spent. The process uses it to check its own health, and tells nobody else.
func (c *Core) Own() [stun.TransactionIDSize]byte { return c.own }

// Handle takes one STUN message from a client. If there is something to send, it returns the
// packet, written into buf, and the client to send it to; otherwise out is empty. buf must have
// room for MaxOutput bytes and must not overlap in, which Handle modifies.
func (c *Core) Handle(now time.Time, from FiveTuple, in, buf []byte) (to FiveTuple, out []byte) {
	c.expire(now)
	if !c.request.decode(in) {
		return from, nil
	}
	c.now, c.answer.Raw = now, buf[:0]
	c.stats.Requests[c.request.kind.Method]++
	switch r := &c.request; r.kind.Method {
	case stun.MethodSend:
		return c.send(from, buf)
	case stun.MethodBinding:
		return c.binding(from)
	default:
		return from, c.authenticated(from, methods[r.kind.Method])
	}
}

// served reports whether a kind of message is handled. Responses and everything else are ignored
// (RFC 8489, section 6.3).
func served(kind stun.MessageType) bool {
	switch kind.Class {
	case stun.ClassRequest:
		return kind.Method == stun.MethodBinding || methods[kind.Method] != nil
	case stun.ClassIndication:
		return kind.Method == stun.MethodSend
	}
	return false
}

// methods are the requests of TURN. Each is called with an authenticated request and the allocation
// of its 5-tuple, which is nil only for Allocate.
var methods = map[stun.Method]func(*Core, FiveTuple, *allocation) []byte{
	stun.MethodAllocate:         (*Core).allocate,
	stun.MethodRefresh:          (*Core).refresh,
	stun.MethodCreatePermission: (*Core).createPermission,
	stun.MethodChannelBind:      (*Core).channelBind,
}

// authenticated does the part common to all TURN requests.
func (c *Core) authenticated(from FiveTuple, serve func(*Core, FiveTuple, *allocation) []byte) []byte {
	r := &c.request
	held := c.allocations[from]
	r.authentication = c.authenticate(from, held)
	c.stats.Authentications[r.authentication]++
	if r.key == nil {
		if r.authentication == AuthTooMany || !c.affordable(from, held) {
			return nil
		}
		return c.fail(from, authFailures[r.authentication])
	}
	if r.malformed {
		return c.fail(from, errBadRequest)
	}
	if len(r.unknown) > 0 {
		return c.fail(from, errUnknownAttribute)
	}
	switch {
	case held == nil && r.kind.Method != stun.MethodAllocate:
		return c.fail(from, errNoAllocation)
	case held != nil && held.username != r.username && r.kind.Method != stun.MethodAllocate:
		return c.fail(from, errWrongCredentials)
	}
	return serve(c, from, held)
}

// Holds reports whether the client has an allocation.
func (c *Core) Holds(client FiveTuple) bool { return c.allocations[client] != nil }

// Disconnected ends the allocation of a client whose stream was lost.
func (c *Core) Disconnected(now time.Time, client FiveTuple) {
	if held := c.allocations[client]; held != nil {
		c.end(now, held, EndedByStream)
	}
}

// seat identifies a seat.
type seat struct{ appointment, name string }

// revocation holds the refused seats of an appointment: for each, generations below the given one
// are refused. An empty name refuses all seats.
type revocation map[string]int

// Revoke ends the allocations of a seat's generations before this one and returns the clients that
// held them. Those credentials make no allocations until Forget is called. An empty name revokes
// the whole appointment.
//
// A revocation does not expire by itself: the clock may have been set since the credentials were
// made. The registry keeps it for as long as it has the appointment.
func (c *Core) Revoke(now time.Time, appointment, name string, generation int) (ended []FiveTuple) {
	if c.revoked[appointment] == nil {
		c.revoked[appointment] = revocation{}
	}
	c.revoked[appointment][name] = max(generation, c.revoked[appointment][name])
	if held := c.appointments[appointment]; held != nil {
		for _, a := range slices.Clone(held.members) {
			if c.refuses(appointment, a.seat, a.generation) {
				ended = append(ended, a.tuple)
				c.end(now, a, EndedByRevoke)
			}
		}
	}
	return ended
}

// Forget drops the revocations of an appointment, once none of its credentials are valid.
func (c *Core) Forget(appointment string) { delete(c.revoked, appointment) }

// refuses reports whether a generation of a seat's credentials has been revoked.
func (c *Core) refuses(appointment, name string, generation int) bool {
	of := c.revoked[appointment]
	_, all := of[""]
	return all || generation < of[name]
}

// Close ends every allocation.
func (c *Core) Close(now time.Time) {
	for len(c.expiries) > 0 {
		c.end(now, c.expiries[0], EndedByTheStop)
	}
}

// Sweep ends expired allocations. Call it about once a second.
func (c *Core) Sweep(now time.Time) {
	c.expire(now)
	c.noteCalls(now)
}

// Allocations returns the number of live allocations.
func (c *Core) Allocations() int { return len(c.allocations) }
