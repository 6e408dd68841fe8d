package certificate

import (
	"context"
	"crypto/x509"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"praxisrelay/relay/certificate/certificatetest"
)

// TestExpiryIsWarnedOf lets certificates live to their end, and two days more.
func TestExpiryIsWarnedOf(t *testing.T) {
	for _, row := range []struct {
		lifetime time.Duration
		before   []time.Duration
	}{
		{398 * day, []time.Duration{21 * day, 7 * day, day}},
		{90 * day, []time.Duration{21 * day, 7 * day, day}},
		{45 * day, []time.Duration{252 * time.Hour, 84 * time.Hour, 12 * time.Hour}},
		{6 * day, []time.Duration{33*time.Hour + 36*time.Minute, 11*time.Hour + 12*time.Minute, 96 * time.Minute}},
	} {
		t.Run(fmt.Sprint(row.lifetime), func(t *testing.T) {
			if row.before[0] >= row.lifetime/3 {
				t.Fatal("a warning comes before the renewal is due")
			}
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				a := certificatetest.NewCA(t)
				s, j := newStore()
				lives := func(c *x509.Certificate) { c.NotBefore, c.NotAfter = time.Now(), time.Now().Add(row.lifetime) }
				if err := s.Replace(a.Issue(t, name, lives)); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go s.Report(ctx)
				at := func(when time.Duration) { time.Sleep(time.Until(begin.Add(when))); synctest.Wait() }
				for i, before := range row.before {
					at(row.lifetime - before - 10*time.Minute)
					if n := j.count("expires soon"); n != i {
						t.Fatalf("%v before the end: %d warnings, want %d\n%s", before+10*time.Minute,
							n, i, j)
					}
					at(row.lifetime - before + 10*time.Minute)
					if n := j.count("expires soon"); n != i+1 {
						t.Fatalf("%v before the end: %d warnings, want %d\n%s", before, n, i+1, j)
					}
				}
				for i := range 3 {
					at(row.lifetime + time.Duration(i)*day + 20*time.Minute)
					if n := j.count("level=ERROR"); n != i+1 || s.Ready() == nil {
						t.Fatalf("%d days after the end: %d errors, ready: %v\n%s", i, n, s.Ready(), j)
					}
				}
				if err := s.Replace(a.Issue(t, name, lives)); err != nil {
					t.Fatal(err)
				}
				time.Sleep(row.lifetime - row.before[0] - 10*time.Minute)
				if n := j.count("expires soon"); n != 3 || j.count("level=ERROR") != 3 || s.Ready() != nil {
					t.Errorf("with a new one: %d warnings\n%s", n, j)
				}
			})
		})
	}
}
