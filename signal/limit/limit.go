// Package limit bounds how often something may happen: wrong guesses per network, and the rate of a
// client's actions.
package limit

import (
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"praxisrelay/config/network"
)

// Allowed wrong guesses: for a network some typing errors at once, then one code every half minute;
// for an IPv6 site ten times that; in total a thousand, then a hundred a second. Pages verify the
// check letter, so few wrong codes are typing errors.
const (
	GuessBurst    = 10
	GuessInterval = 30 * time.Second

	siteBurst    = 100
	siteInterval = 3 * time.Second

	totalBurst    = 1000
	totalInterval = 10 * time.Millisecond
)

// Values of the label limit of praxisrelay_signal_limit_hits_total shared by signaling and the
// admin API.
const (
	WrongCodes  = "wrong_codes"  // of a network or a token, or in all
	WrongTokens = "wrong_tokens" // of a network, or in all
	Stretching  = "stretching"   // codes made here at once
)

// Bucket holds the time when its last entry is forgiven; one is forgiven each interval (GCRA).
type Bucket struct{ forgiven time.Time }

// Wait returns how long until one more entry is allowed.
func (b *Bucket) Wait(now time.Time, interval time.Duration, burst int) time.Duration {
	noted := max(0, b.forgiven.Sub(now))
	return max(0, noted+interval-time.Duration(burst)*interval)
}

// Take adds count entries at once, unless even one has to wait.
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

// Failures has a bucket for every key with an unforgiven failure.
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

// sweep forgets forgiven failures, often enough to keep few of them.
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

// Networks counts failed guesses per network, per IPv6 site, and in total. Each has its own count,
// so no network pays for another. The global limit bounds the memory, since each failure is
// forgiven after an interval: some ten thousand networks.
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

// Fail records a wrong guess, unless the network has to wait: then it returns for how long, and the
// guess must not be judged. Asking first and recording later would let any number of simultaneous
// guesses pass.
func (l *Networks) Fail(now time.Time, client netip.Addr) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait = l.waitLocked(now, client); wait == 0 {
		l.noteLocked(now, client)
	}
	return wait
}

// waitLocked returns how long a network must wait until its next guess is judged.
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

// spent reports whether all networks together have guessed wrong too often.
func (l *Networks) spent(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total.Wait(now, totalInterval, totalBurst) > 0
}

// Report logs that a network's attempts are being ignored.
func (l *Networks) Report(log *slog.Logger, now time.Time, what string, client netip.Addr) {
	if l.spent(now) {
		log.Warn("guessing is refused to all networks", "guessed", what)
		return
	}
	log.Warn("guessing is refused to a network", "guessed", what, "network", client)
}
