package core

import (
	"testing"
	"time"
)

// TestFewPayForOthers: thousands of prefixes that use up their budgets leave almost none of the
// others without. With only one bucket per key it would be one in thirty.
func TestFewPayForOthers(t *testing.T) {
	const perSecond = 10
	b := newBudgets[int]()
	now := start
	for range 60 * perSecond {
		now = now.Add(time.Second / perSecond)
		for attacker := range 2400 {
			b.take(now, attacker, perSecond)
			b.take(now, attacker, perSecond)
		}
	}
	if b.holds(now, 0, perSecond) {
		t.Error("an attacker has something left")
	}
	refused := 0
	for other := range 10_000 {
		if !b.holds(now, -1-other, perSecond) {
			refused++
		}
	}
	if refused > 10 { // 0.25 are expected
		t.Errorf("%d of 10,000 others are refused", refused)
	}
	for range int(budgetDepth/time.Second) * perSecond {
		if !b.take(now, 100_000, perSecond) {
			t.Fatal("one of the others has less than its budget")
		}
	}
	if b.take(now, 100_000, perSecond) {
		t.Error("one of the others has more than its budget")
	}
}
