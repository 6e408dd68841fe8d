package certificate

import (
	"context"
	"crypto/x509"
	"log/slog"
	"time"
)

const day = 24 * time.Hour

// warnings are how long before a certificate's end the log warns.
var warnings = []time.Duration{21 * day, 7 * day, day}

// shortLived is the lifetime below which warnings come later, in proportion: for a certificate of
// 45 days at half these times, for one of six days 34, 11 and 1.6 hours before its end. ACME renews
// when a third of the life is left, so there is no warning while all is well.
const shortLived = 90 * day

// Warnings returns how long before its end the log warns about a certificate valid from begins to
// ends, the earliest warning first.
func Warnings(begins, ends time.Time) (before []time.Duration) {
	part := min(1, float64(ends.Sub(begins))/float64(shortLived))
	for _, whole := range warnings {
		before = append(before, time.Duration(part*float64(whole)))
	}
	return before
}

// urgency counts the warnings that are due, plus one if the certificate has expired.
func urgency(leaf *x509.Certificate, now time.Time) (due int) {
	left := leaf.NotAfter.Sub(now)
	for _, before := range Warnings(leaf.NotBefore, leaf.NotAfter) {
		if left <= before {
			due++
		}
	}
	if left < 0 {
		due++
	}
	return due
}

// EndsSoon reports whether a certificate should have been renewed already.
func EndsSoon(leaf *x509.Certificate, now time.Time) bool { return urgency(leaf, now) > 0 }

// Report logs until ctx is done: each new certificate and the faults that clients find with it; its
// approaching end, once at each of 21, 7 and 1 days before (if it lives less than 90 days, at the
// same fractions of its life); and its end, every day.
func (s *Store) Report(ctx context.Context) {
	ticker := time.NewTicker(10 * time.Minute)
	defer ticker.Stop()
	var r reporter
	for {
		if leaf := s.Leaf(); leaf != nil {
			r.look(leaf, s.Findings(), s.now(), s.log)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-s.taken:
		}
	}
}

// reporter remembers what has been logged about a certificate.
type reporter struct {
	leaf    *x509.Certificate
	found   map[string]bool // by Finding.ID
	urgency int
	at      time.Time
}

func (r *reporter) look(leaf *x509.Certificate, found []Finding, now time.Time, log *slog.Logger) {
	ends := leaf.NotAfter.UTC().Format(layout)
	if leaf != r.leaf {
		*r = reporter{leaf: leaf, found: map[string]bool{"ended": true}} // that is logged below
		log.Info("certificate taken", "ends", ends)
	}
	for _, f := range found {
		switch {
		case r.found[f.ID]:
		case f.By == All:
			log.Error("no browser accepts the certificate", "reason", f.Text)
		case f.By == Some:
			log.Warn("not every client will trust the certificate", "reason", f.Text)
		}
		r.found[f.ID] = true
	}
	due := urgency(leaf, now)
	ended := due > len(warnings)
	if due <= r.urgency && (!ended || now.Sub(r.at) < day) {
		return
	}
	r.urgency, r.at = due, now
	if ended {
		log.Error("the certificate has expired and clients refuse it: renew it", "ended", ends)
	} else {
		log.Warn("the certificate expires soon: find out why it was not renewed",
			"ends", ends, "left", leaf.NotAfter.Sub(now).Round(time.Minute))
	}
}
