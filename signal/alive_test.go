package signal

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"praxisrelay/signal/registry"
)

// brokenDisk is a registry that fails to write on demand, and counts the attempts.
type brokenDisk struct {
	registry.Registry
	err    error
	checks int
}

func (b *brokenDisk) Check(context.Context) error {
	b.checks++
	return b.err
}

// TestRegistryIsWrittenToForTheHealth: seldom, and a failure is remembered for a minute.
func TestRegistryIsWrittenToForTheHealth(t *testing.T) {
	disk := new(brokenDisk)
	l := newLab(t, func(o *Options) {
		disk.Registry = o.Registry
		o.Registry = disk
	})
	for _, row := range []struct {
		at     time.Duration
		err    error
		ok     bool
		checks int
	}{
		{0, nil, true, 1},
		{writeEvery - 1, errors.New("the disk is full"), true, 1}, // not yet tried
		{writeEvery, errors.New("the disk is full"), false, 2},
		{2 * writeEvery, nil, false, 3}, // works again, but may not last
		{writeEvery + faultTime, nil, true, 4},
	} {
		l.at(day.Add(row.at))
		disk.err = row.err
		if err := l.CheckRegistry(); (err == nil) != row.ok || disk.checks != row.checks {
			t.Errorf("after %v: %v and %d writes, want %v and %d", row.at, err, disk.checks, row.ok, row.checks)
		}
	}
}

// TestAliveUntilTheSweepsStandStill: not before Serve, nor long after the last sweep.
func TestAliveUntilTheSweepsStandStill(t *testing.T) {
	l := newLab(t)
	if l.Alive() == nil {
		t.Error("alive before it serves")
	}
	l.noteSweep()
	l.at(day.Add(aliveTime))
	if err := l.Alive(); err != nil {
		t.Error(err)
	}
	l.at(day.Add(aliveTime + 1))
	if l.Alive() == nil {
		t.Error("alive although nothing is swept")
	}
}

// TestAppointmentsAreCounted by state, but not at every scrape.
func TestAppointmentsAreCounted(t *testing.T) {
	l := newLab(t)
	l.seats(day.Add(-time.Hour))
	l.seats(day.Add(time.Hour))
	id, _, _ := l.seats(day)
	c := l.Collector().(*collector)
	counts := func(want map[string]int) {
		t.Helper()
		got := c.appointments()
		for state, n := range want {
			if got[state] != n {
				t.Errorf("%v, want %v", got, want)
				return
			}
		}
	}
	counts(map[string]int{"upcoming": 1, "open": 2, "over": 0, "revoked": 0})
	if status, body := l.admin("DELETE", "/v1/appointments/"+id, ""); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	counts(map[string]int{"upcoming": 1, "open": 2})
	l.at(day.Add(countEvery))
	counts(map[string]int{"upcoming": 1, "open": 1, "revoked": 1})
	l.at(day.Add(24 * time.Hour))
	counts(map[string]int{"open": 1, "over": 1, "revoked": 1})
	if err := prometheus.NewPedanticRegistry().Register(c); err != nil {
		t.Error(err)
	}
}
