package core

import (
	"testing"
	"time"
)

// TestCallsAreWhatMediaFlowsIn: allocations alone are none.
func TestCallsAreWhatMediaFlowsIn(t *testing.T) {
	l := newLab(t)
	a, b := l.allocated("198.51.100.1:1000", "x", "doctor"), l.allocated("198.51.100.2:1000", "x", "patient")
	l.allocated("198.51.100.3:1000", "y", "patient")
	a.bind(0x4000, b.relayed)
	b.bind(0x4000, a.relayed)
	for step, test := range []struct {
		talks bool
		later time.Duration
		want  int
	}{{false, 0, 0}, {true, 0, 1}, {false, idle - time.Second, 1}, {false, time.Second, 0}, {true, 0, 1}} {
		l.now = l.now.Add(test.later)
		if test.talks {
			a.channelData(0x4000, "voice")
		}
		if got := l.Calls(l.now); got != test.want {
			t.Errorf("step %d: %d calls, want %d", step, got, test.want)
		}
	}
	if live := l.Stats().Live; live != [Relayed]int{UDP: 3} {
		t.Errorf("%v live", live)
	}
}
