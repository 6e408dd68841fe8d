package logs

import (
	"fmt"
	"log/slog"
	"time"
)

const (
	// period is how long an event that repeats is counted before its sum is written.
	period = time.Minute
	// written is how many times an event is written within the period, each network
	// once; then it is only counted.
	written = 5

	maxEvents   = 256  // that are told apart by their attributes
	maxNetworks = 1000 // that are told apart, per event
)

// repeats counts what is not written. Its memory is bounded: of more events than it may
// hold only the messages are told apart, and of these there are as many as in the code.
type repeats map[event]*repeat

type repeat struct {
	since    time.Time
	written  int
	more     uint64          // that were not written
	networks map[string]bool // of all; true: written
}

// note reports whether an event is to be written, and counts it otherwise. One that was
// counted elsewhere is written once.
func (r repeats) note(now time.Time, e event, network string, times uint64) bool {
	if r[e] == nil && len(r) >= maxEvents {
		e.details = ""
	}
	seen := r[e]
	if seen == nil {
		seen = &repeat{since: now, networks: map[string]bool{}}
		r[e] = seen
	}
	if (seen.written == 0 || seen.written < written && times == 1) && !seen.networks[network] {
		seen.written++
		if network != "" {
			seen.networks[network] = true
		}
		return true
	}
	seen.more += times
	if _, known := seen.networks[network]; network != "" && !known && len(seen.networks) < maxNetworks {
		seen.networks[network] = false
	}
	return false
}

// sums returns what has been counted for at least that long, and forgets what has not
// repeated. While something does it is only counted, from one sum to the next.
func (r repeats) sums(now time.Time, after time.Duration) (sums []event) {
	for e, seen := range r {
		past := now.Sub(seen.since)
		switch {
		case past < after:
			continue
		case seen.more == 0:
			delete(r, e)
			continue
		}
		sum := text([]slog.Attr{slog.Uint64("more", seen.more), slog.Duration("within", past.Round(time.Second))})
		if n := len(seen.networks); n >= maxNetworks {
			sum += fmt.Sprintf(" networks=%d-or-more", n)
		} else if n > 0 {
			sum += fmt.Sprintf(" networks=%d", n)
		}
		if e.details != "" {
			sum = e.details + " " + sum
		}
		sums = append(sums, event{e.level, e.message, sum})
		*seen = repeat{since: now, written: written, networks: map[string]bool{}}
	}
	return sums
}
