package signal

import (
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"praxisrelay/config/network"
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

// Values of the label limit of praxisrelay_signal_limit_hits_total that signaling and
// the admin API share.
const (
	limitWrongCodes  = "wrong_codes"  // of a network or a token, or in all
	limitWrongTokens = "wrong_tokens" // of a network, or in all
	limitStretching  = "stretching"   // codes that are made here at once
)

// bucket is when what was noted in it is forgiven, interval by interval (GCRA).
type bucket struct{ forgiven time.Time }

// wait returns how long it takes until one more may be noted.
func (b *bucket) wait(now time.Time, interval time.Duration, burst int) time.Duration {
	noted := max(0, b.forgiven.Sub(now))
	return max(0, noted+interval-time.Duration(burst)*interval)
}

// take notes so many at once, unless it has to wait for one.
func (b *bucket) take(now time.Time, interval time.Duration, burst, count int) (wait time.Duration) {
	if wait = b.wait(now, interval, burst); wait == 0 {
		b.add(now, time.Duration(count)*interval)
	}
	return wait
}

func (b *bucket) add(now time.Time, interval time.Duration) {
	if b.forgiven.Before(now) {
		b.forgiven = now
	}
	b.forgiven = b.forgiven.Add(interval)
}

// failures has a bucket for every key with a failure that is not forgiven yet.
type failures[K comparable] struct {
	burst    int
	interval time.Duration
	buckets  map[K]bucket
	swept    time.Time
}

func newFailures[K comparable](burst int, interval time.Duration) failures[K] {
	return failures[K]{burst: burst, interval: interval, buckets: map[K]bucket{}}
}

func (f *failures[K]) wait(now time.Time, key K) time.Duration {
	b := f.buckets[key]
	return b.wait(now, f.interval, f.burst)
}

func (f *failures[K]) note(now time.Time, key K) {
	f.sweep(now)
	b := f.buckets[key]
	b.add(now, f.interval)
	f.buckets[key] = b
}

// sweep forgets what is forgiven, so often that little of that is kept.
func (f *failures[K]) sweep(now time.Time) {
	if now.Sub(f.swept) < f.interval {
		return
	}
	f.swept = now
	for key, b := range f.buckets {
		if !now.Before(b.forgiven) {
			delete(f.buckets, key)
		}
	}
}

// limiter counts failed guesses per network, per IPv6 site, and in all. Each has its own
// count, so no network pays for another one. What is kept is bounded by the limit of all,
// since each failure is forgiven after an interval: some ten thousand networks.
type limiter struct {
	mu       sync.Mutex
	networks failures[netip.Prefix]
	sites    failures[netip.Prefix]
	total    bucket
}

func newLimiter() *limiter {
	return &limiter{
		networks: newFailures[netip.Prefix](guessBurst, guessInterval),
		sites:    newFailures[netip.Prefix](siteBurst, siteInterval),
	}
}

// fail notes a wrong guess, unless the network has to wait: then it returns for how long,
// and the guess must not be judged. Asking first and noting later would let any number
// of guesses pass that are made at once.
func (l *limiter) fail(now time.Time, client netip.Addr) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait = l.waitLocked(now, client); wait == 0 {
		l.noteLocked(now, client)
	}
	return wait
}

// waitLocked returns how long a network must wait until one more guess of it is judged.
func (l *limiter) waitLocked(now time.Time, client netip.Addr) time.Duration {
	wait := max(l.networks.wait(now, network.Of(client)), l.total.wait(now, totalInterval, totalBurst))
	if site := network.Site(client); site.IsValid() {
		wait = max(wait, l.sites.wait(now, site))
	}
	return wait
}

func (l *limiter) noteLocked(now time.Time, client netip.Addr) {
	l.networks.note(now, network.Of(client))
	if site := network.Site(client); site.IsValid() {
		l.sites.note(now, site)
	}
	l.total.add(now, totalInterval)
}

// spent reports whether the wrong guesses of all networks together are too many.
func (l *limiter) spent(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total.wait(now, totalInterval, totalBurst) > 0
}

// report logs that what a network tries is not looked at.
func (l *limiter) report(log *slog.Logger, now time.Time, what string, client netip.Addr) {
	if l.spent(now) {
		log.Warn("guessing is refused to all networks", "guessed", what)
		return
	}
	log.Warn("guessing is refused to a network", "guessed", what, "network", client)
}
