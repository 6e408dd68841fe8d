package signal

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"praxisrelay/signal/appointment"
)

// What may be guessed wrong: by one network some typing errors at once, then one
// code every half minute; by an IPv6 site ten times that; in all a thousand, then a
// hundred a second. Pages verify the check letter, so that few wrong codes are
// anybody's typing errors.
const (
	guessBurst    = 10
	guessInterval = 30 * time.Second

	siteBurst    = 100
	siteInterval = 3 * time.Second

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
	asked   [1 << 14]bucket // of knows
	total   bucket
	known   [1 << 16]uint64 // fingerprints of networks with codes that were right there
}

// bucket is when what was noted in it is forgiven, interval by interval (GCRA).
type bucket struct{ forgiven time.Time }

// wait returns how long it takes until one more may be noted.
func (b *bucket) wait(now time.Time, interval time.Duration, burst int) time.Duration {
	noted := max(0, b.forgiven.Sub(now))
	return max(0, noted+interval-time.Duration(burst)*interval)
}

func (b *bucket) add(now time.Time, interval time.Duration) {
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
	wait := max(l.bucket(network(client)).wait(now, guessInterval, guessBurst), l.total.wait(now, totalInterval, totalBurst))
	if client.Is6() {
		wait = max(wait, l.bucket(site(client)).wait(now, siteInterval, siteBurst))
	}
	return wait
}

// spent tells whether the wrong guesses of all networks together are too many.
func (l *limiter) spent(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total.wait(now, totalInterval, totalBurst) > 0
}

// fail notes a wrong guess.
func (l *limiter) fail(now time.Time, client netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bucket(network(client)).add(now, guessInterval)
	if client.Is6() {
		l.bucket(site(client)).add(now, siteInterval)
	}
	l.total.add(now, totalInterval)
}

// remember notes that a code was right from a network. An old note makes room.
func (l *limiter) remember(client netip.Addr, lookup appointment.Lookup) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, print := l.print(client, lookup)
	*at = print
}

// knows tells whether a code was right from a network before. A network that is
// limited may ask this a hundred times, and then once a second: else it would be a way
// to guess codes of neighbours.
func (l *limiter) knows(now time.Time, client netip.Addr, lookup appointment.Lookup) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	asked := &l.asked[l.index(network(client))]
	if asked.wait(now, time.Second, 100) > 0 {
		return false
	}
	asked.add(now, time.Second)
	at, print := l.print(client, lookup)
	return *at == print
}

func (l *limiter) print(client netip.Addr, lookup appointment.Lookup) (at *uint64, print uint64) {
	type known struct {
		network netip.Prefix
		lookup  appointment.Lookup
	}
	// Never zero, which is an empty place. The place is taken from other bits.
	print = maphash.Comparable(l.seed, known{network(client), lookup}) | 1<<63
	return &l.known[print%uint64(len(l.known))], print
}

func (l *limiter) bucket(network netip.Prefix) *bucket { return &l.buckets[l.index(network)] }

func (l *limiter) index(network netip.Prefix) uint64 {
	return maphash.Comparable(l.seed, network) % uint64(len(l.buckets))
}

// network is what a client is counted under.
func network(client netip.Addr) netip.Prefix {
	bits := 32
	if client.Is6() {
		bits = 64
	}
	prefix, _ := client.Prefix(bits)
	return prefix
}

// site is what an IPv6 client is counted under beside: who has a /48 has 65,536 networks.
func site(client netip.Addr) netip.Prefix {
	prefix, _ := client.Prefix(48)
	return prefix
}
