package signal

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"praxisrelay/signal/appointment"
)

// What may be guessed wrong: by one network some typing errors at once, then one
// code every half minute; in all a thousand, then a hundred a second. Pages verify
// the check letter, so that few wrong codes are anybody's typing errors.
const (
	guessBurst    = 10
	guessInterval = 30 * time.Second

	totalBurst    = 1000
	totalInterval = 10 * time.Millisecond
)

// limiter counts failed guesses per network, an IPv4 address or an IPv6 /64, and in
// all. Its memory is fixed. Networks that share a bucket by chance share its budget,
// and the seed, which nobody outside knows, lets nobody choose whom to share with.
//
// Whoever is limited learns nothing about any code, the right ones included, except
// those that were right from that network before: a neighbour's wrong codes keep
// nobody from coming back.
type limiter struct {
	mu      sync.Mutex
	seed    maphash.Seed
	buckets [1 << 14]bucket
	total   bucket
	known   [1 << 16]uint64 // fingerprints of networks with codes that were right there
}

// bucket is when the failures noted in it are forgiven, interval by interval (GCRA).
type bucket struct{ forgiven time.Time }

// wait returns how long it takes until one more failure may be noted.
func (b *bucket) wait(now time.Time, interval time.Duration, burst int) time.Duration {
	noted := max(0, b.forgiven.Sub(now))
	return max(0, noted+interval-time.Duration(burst)*interval)
}

func (b *bucket) fail(now time.Time, interval time.Duration) {
	if b.forgiven.Before(now) {
		b.forgiven = now
	}
	b.forgiven = b.forgiven.Add(interval)
}

func newLimiter() *limiter { return &limiter{seed: maphash.MakeSeed()} }

// wait returns how long a network must wait before its next guess is looked at.
func (l *limiter) wait(now time.Time, client netip.Addr) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(l.bucket(client).wait(now, guessInterval, guessBurst), l.total.wait(now, totalInterval, totalBurst))
}

// fail notes a wrong guess.
func (l *limiter) fail(now time.Time, client netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bucket(client).fail(now, guessInterval)
	l.total.fail(now, totalInterval)
}

// remember notes that a code was right from a network. An old note makes room.
func (l *limiter) remember(client netip.Addr, lookup appointment.Lookup) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, print := l.print(client, lookup)
	*at = print
}

// knows tells whether a code was right from a network before.
func (l *limiter) knows(client netip.Addr, lookup appointment.Lookup) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, print := l.print(client, lookup)
	return *at == print
}

func (l *limiter) print(client netip.Addr, lookup appointment.Lookup) (at *uint64, print uint64) {
	type known struct {
		network netip.Addr
		lookup  appointment.Lookup
	}
	// Never zero, which is an empty place. The place is taken from other bits.
	print = maphash.Comparable(l.seed, known{network(client), lookup}) | 1<<63
	return &l.known[print%uint64(len(l.known))], print
}

func (l *limiter) bucket(client netip.Addr) *bucket {
	return &l.buckets[maphash.Comparable(l.seed, network(client))%uint64(len(l.buckets))]
}

// network is what a client is counted under.
func network(client netip.Addr) netip.Addr {
	bits := 32
	if client.Is6() {
		bits = 64
	}
	prefix, _ := client.Prefix(bits)
	return prefix.Addr()
}
