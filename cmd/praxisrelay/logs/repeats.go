package logs

import (
	"fmt"
	"log/slog"
	"time"
)

const (
	// period is how long repetitions of an event are counted before their sum is written.
	period = time.Minute
	// written is how many times an event is written within the period, once for each network.
	// Further occurrences are only counted.
	written = 5

	maxEvents   = 256  // distinguished by their attributes
	maxNetworks = 1000 // distinguished per event
)

// repeats counts the events that are not written. Its memory is bounded: beyond maxEvents, events
// are only distinguished by their messages, and the code has a fixed number of those.
type repeats map[event]*repeat

type repeat struct {
	since    time.Time
	written  int
	more     uint64          // counted instead of written
	networks map[string]bool // every network seen; true if it was written
}

// note reports whether to write an event, and counts it if not. An event that arrives with a
// count is written once.
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

// sums returns what has been counted for at least the given time, and forgets events that have not
// repeated. An event that keeps repeating is only counted, from one sum to the next.
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
		sum := text([]slog.Attr{slog.Uint64("more", seen.more),
			slog.Duration("within", past.Round(time.Second))})
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
