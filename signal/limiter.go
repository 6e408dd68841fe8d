package signal

import (
	"hash/maphash"
	"math"
	"net/netip"
	"sync"
	"time"
)

// What one network may get wrong: some typing errors at once, then one code every
// half minute.
const (
	guessBurst    = 10
	guessInterval = 30 * time.Second
)

// limiter counts failed guesses per network: an IPv4 address or an IPv6 /64. Its
// memory is fixed. Networks that share a bucket by chance share its budget, and the
// seed, which nobody outside knows, lets nobody choose whom to share with.
type limiter struct {
	mu      sync.Mutex
	seed    maphash.Seed
	buckets [1 << 14]bucket
}

type bucket struct {
	failures float64 // that are not yet forgiven
	at       time.Time
}

func newLimiter() *limiter { return &limiter{seed: maphash.MakeSeed()} }

// wait returns how long a network must wait before its next guess is looked at.
func (l *limiter) wait(now time.Time, client netip.Addr) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	excess := l.bucket(now, client).failures - (guessBurst - 1)
	if excess <= 0 {
		return 0
	}
	return time.Duration(math.Ceil(excess * float64(guessInterval)))
}

// fail notes a wrong guess.
func (l *limiter) fail(now time.Time, client netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bucket(now, client).failures++
}

func (l *limiter) bucket(now time.Time, client netip.Addr) *bucket {
	bits := 32
	if client.Is6() {
		bits = 64
	}
	network, _ := client.Prefix(bits)
	b := &l.buckets[maphash.Comparable(l.seed, network)%uint64(len(l.buckets))]
	if passed := now.Sub(b.at); passed > 0 {
		b.failures = max(0, b.failures-float64(passed)/float64(guessInterval))
		b.at = now
	}
	return b
}
