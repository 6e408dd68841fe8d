// Package limit bounds how often something may happen: wrong guesses by networks, and
// what a client does by its rate.
package limit

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
	GuessBurst    = 10
	GuessInterval = 30 * time.Second

	siteBurst    = 100
	siteInterval = 3 * time.Second

	totalBurst    = 1000
	totalInterval = 10 * time.Millisecond
)

// Values of the label limit of praxisrelay_signal_limit_hits_total that signaling and
// the admin API share.
const (
	WrongCodes  = "wrong_codes"  // of a network or a token, or in all
	WrongTokens = "wrong_tokens" // of a network, or in all
	Stretching  = "stretching"   // codes that are made here at once
)

// Bucket is when what was noted in it is forgiven, interval by interval (GCRA).
type Bucket struct{ forgiven time.Time }

// Wait returns how long it takes until one more may be noted.
func (b *Bucket) Wait(now time.Time, interval time.Duration, burst int) time.Duration {
	noted := max(0, b.forgiven.Sub(now))
	return max(0, noted+interval-time.Duration(burst)*interval)
}

// Take notes so many at once, unless it has to wait for one.
func (b *Bucket) Take(now time.Time, interval time.Duration, burst, count int) (wait time.Duration) {
	if wait = b.Wait(now, interval, burst); wait == 0 {
		b.Add(now, time.Duration(count)*interval)
	}
	return wait
}

func (b *Bucket) Add(now time.Time, interval time.Duration) {
	if b.forgiven.Before(now) {
		b.forgiven = now
	}
	b.forgiven = b.forgiven.Add(interval)
}

// Failures has a bucket for every key with a failure that is not forgiven yet.
type Failures[K comparable] struct {
	burst    int
	interval time.Duration
	buckets  map[K]Bucket
	swept    time.Time
}

func NewFailures[K comparable](burst int, interval time.Duration) Failures[K] {
	return Failures[K]{burst: burst, interval: interval, buckets: map[K]Bucket{}}
}

func (f *Failures[K]) Wait(now time.Time, key K) time.Duration {
	b := f.buckets[key]
	return b.Wait(now, f.interval, f.burst)
}

func (f *Failures[K]) Note(now time.Time, key K) {
	f.sweep(now)
	b := f.buckets[key]
	b.Add(now, f.interval)
	f.buckets[key] = b
}

// sweep forgets what is forgiven, so often that little of that is kept.
func (f *Failures[K]) sweep(now time.Time) {
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

// Networks counts failed guesses per network, per IPv6 site, and in all. Each has its own
// count, so no network pays for another one. What is kept is bounded by the limit of all,
// since each failure is forgiven after an interval: some ten thousand networks.
type Networks struct {
	mu       sync.Mutex
	networks Failures[netip.Prefix]
	sites    Failures[netip.Prefix]
	total    Bucket
}

func NewNetworks() *Networks {
	return &Networks{
		networks: NewFailures[netip.Prefix](GuessBurst, GuessInterval),
		sites:    NewFailures[netip.Prefix](siteBurst, siteInterval),
	}
}

// Fail notes a wrong guess, unless the network has to wait: then it returns for how long,
// and the guess must not be judged. Asking first and noting later would let any number
// of guesses pass that are made at once.
func (l *Networks) Fail(now time.Time, client netip.Addr) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait = l.waitLocked(now, client); wait == 0 {
		l.noteLocked(now, client)
	}
	return wait
}

// waitLocked returns how long a network must wait until one more guess of it is judged.
func (l *Networks) waitLocked(now time.Time, client netip.Addr) time.Duration {
	wait := max(l.networks.Wait(now, network.Of(client)), l.total.Wait(now, totalInterval, totalBurst))
	if site := network.Site(client); site.IsValid() {
		wait = max(wait, l.sites.Wait(now, site))
	}
	return wait
}

func (l *Networks) noteLocked(now time.Time, client netip.Addr) {
	l.networks.Note(now, network.Of(client))
	if site := network.Site(client); site.IsValid() {
		l.sites.Note(now, site)
	}
	l.total.Add(now, totalInterval)
}

// spent reports whether the wrong guesses of all networks together are too many.
func (l *Networks) spent(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total.Wait(now, totalInterval, totalBurst) > 0
}

// Report logs that what a network tries is not looked at.
func (l *Networks) Report(log *slog.Logger, now time.Time, what string, client netip.Addr) {
	if l.spent(now) {
		log.Warn("guessing is refused to all networks", "guessed", what)
		return
	}
	log.Warn("guessing is refused to a network", "guessed", what, "network", client)
}
