// Package core is the STUN/TURN server as a pure state machine: the time, a
// client's 5-tuple and its bytes go in; an answer or a packet for another client
// comes out. It has no socket, goroutine, timer or global, so it can be tested
// under a steered clock, fuzzed, and compared with other servers.
//
// The relay it describes is paired, unless [Config.Open] says otherwise. Every
// appointment has a set of virtual relayed addresses, one per allocation, that no
// socket holds; what one client sends to another's relayed address is handed over
// in here. An address outside the set does not exist, so nothing can be made to
// send to a third party. In the open relay all relayed addresses form one set,
// sockets hold them, and peers outside are reached where a policy allows it.
//
// Three ways lead through the core. [Core.Handle] takes STUN messages; it changes
// state and must be called by one goroutine at a time, as must everything that
// is not said to be otherwise. [Core.Forward] takes ChannelData, the media, and
// [Core.Receive] what peers of the open relay send; both read a table that Handle
// keeps and may run on any number of goroutines.
//
// A request passes, in this order: strict decoding, authentication or the budget
// for answers without it, the question whether its 5-tuple has an allocation (437)
// and whose (441), then its method. Nothing is kept of a request that is not
// authenticated.
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

// What RFC 8656 prescribes (sections 3.2, 9 and 12).
const (
	DefaultLifetime    = 10 * time.Minute
	permissionLifetime = 5 * time.Minute
	channelLifetime    = 10 * time.Minute
)

// What it leaves to us.
const (
	MaxLifetime    = time.Hour // of an allocation, per Refresh
	maxPermissions = 32        // per allocation; a browser needs about three per ICE generation
	maxChannels    = 32        // per allocation

	// MaxMessage bounds what is taken from a client, in bytes.
	MaxMessage = 2048
	// MaxOutput is the size of the largest packet that comes out: a Data
	// indication around the largest payload.
	MaxOutput = MaxMessage + 64
)

// Config is what a Core needs to know.
type Config struct {
	Keys *credential.Keyring
	// RelayedIPv4 and RelayedIPv6 are what relayed addresses are made of. A
	// family whose address is not valid is not served (440).
	RelayedIPv4, RelayedIPv6 netip.Addr
	// MaxSession ends an allocation, whatever its refreshes ask for. See SetLimits.
	MaxSession time.Duration
	Limits     Limits
	// Open makes the relay an open one. Nil: it is paired.
	Open *Open
	// Listeners are the addresses of the UDP listeners, by their index. Where two
	// addresses have the same two ports each, RFC 5780's tests are answered.
	Listeners []netip.AddrPort
	// Observe is told what happens to clients, from within whatever made it happen: it
	// must be quick, and call nothing of the Core. Nil: nobody is.
	Observe func(Event)
}

// Open is what only the open relay needs: sockets, and a judge of peers.
type Open struct {
	FirstPort, LastPort uint16 // of relayed addresses
	// Bind opens the socket of a relayed address. After ErrTaken another port is
	// tried, after any other error none. Release closes it.
	Bind    func(netip.AddrPort) error
	Release func(netip.AddrPort)
	// Permits reports whether an address that is no relayed one may be reached, on the
	// ports from MinPeerPort up.
	Permits     func(netip.Addr) bool
	MinPeerPort uint16
}

// ErrTaken says that another program has a port.
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
	calls        map[string]time.Time  // while draining: appointments that may allocate, and until when
	routes       *rcu.Map[routeKey, *route]
	strangers    *budgets[netip.Prefix] // of unauthenticated answers, by source prefix or site
	requests     *budgets[seat]         // that are authenticated
	total        meter
	rates        rates
	alternates   []*alternate // by UDP listener
	own          [stun.TransactionIDSize]byte
	stats        Stats // but for Drops
	dropped      *dropCounts

	// Of the message in work.
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
		return nil, errors.New("the relay needs an IPv4 or IPv6 address to make relayed addresses of")
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

// Own is the transaction ID of a Binding request that is answered whatever others have
// drawn from the budget of its source. The process asks itself with it whether it lives,
// and tells nobody else.
func (c *Core) Own() [stun.TransactionIDSize]byte { return c.own }

// Handle takes one STUN message from a client. When there is something to send
// it returns the packet, written into buf, and the client that it is for; else
// out is empty. buf must have room for MaxOutput bytes and not overlap in, which
// is changed.
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

// served tells what is looked at. Responses and all else get no answer (RFC 8489,
// section 6.3).
func served(kind stun.MessageType) bool {
	switch kind.Class {
	case stun.ClassRequest:
		return kind.Method == stun.MethodBinding || methods[kind.Method] != nil
	case stun.ClassIndication:
		return kind.Method == stun.MethodSend
	}
	return false
}

// methods are the requests of TURN, each called with an authenticated request
// and its 5-tuple's allocation; only for Allocate is that nil.
var methods = map[stun.Method]func(*Core, FiveTuple, *allocation) []byte{
	stun.MethodAllocate:         (*Core).allocate,
	stun.MethodRefresh:          (*Core).refresh,
	stun.MethodCreatePermission: (*Core).createPermission,
	stun.MethodChannelBind:      (*Core).channelBind,
}

// authenticated does what every TURN request has in common.
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

// Disconnected ends what the client of a lost stream held.
func (c *Core) Disconnected(now time.Time, client FiveTuple) {
	if held := c.allocations[client]; held != nil {
		c.end(now, held, EndedByStream)
	}
}

// seat names a seat.
type seat struct{ appointment, name string }

// revocation is what is refused of an appointment: the seats' generations below these, or
// with the empty name everything.
type revocation map[string]int

// Revoke ends what the generations of a seat before this one hold, and returns the clients
// that held it; their credentials make no allocations until Forget is called. An empty
// name revokes the whole appointment.
//
// No time is named after which a revocation could be forgotten: what a clock says now may
// not be what it said when credentials were made. The registry keeps it for as long as it
// has the appointment.
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

// Forget drops what was revoked of an appointment, once none of its credentials lives.
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

// Sweep ends what is over. Call it about once a second.
func (c *Core) Sweep(now time.Time) {
	c.expire(now)
	c.noteCalls(now)
}

// Allocations returns the number of live allocations.
func (c *Core) Allocations() int { return len(c.allocations) }
