package core

import "testing"

// TestCallsHaveTwoSeats: several allocations of one seat are not a call.
func TestCallsHaveTwoSeats(t *testing.T) {
	l := newLab(t)
	for i, step := range []struct {
		appointment, seat string
		want              int
	}{{"x", "doctor", 0}, {"x", "doctor", 0}, {"x", "patient", 1}, {"y", "patient", 1}, {"y", "doctor", 2}} {
		l.allocated("198.51.100."+string(rune('1'+i))+":1000", step.appointment, step.seat)
		if got := l.Calls(l.now); got != step.want {
			t.Errorf("with allocation %d there are %d calls, want %d", i, got, step.want)
		}
	}
	if live := l.Stats().Live; live != [Relayed]int{UDP: 5} || l.MaxAllocations() != l.config.Limits.Total {
		t.Errorf("%v of %d live", live, l.MaxAllocations())
	}
}
