package check

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestRunKeepsTheOrder: needed probes come first, a failure skips only the probes that need it, and
// independent probes run at once.
func TestRunKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		takes := func(d time.Duration, err error) func(context.Context) (Values, error) {
			return func(context.Context) (Values, error) {
				time.Sleep(d)
				return Values{"at": time.Since(began)}, err
			}
		}
		var events []string
		r := Results{Event: func(result Result) { events = append(events, result.ID+" "+string(result.Status)) }}
		r.Run(t.Context(), Probe{ID: "before", Run: takes(time.Second, nil)})
		r.Run(t.Context(),
			Probe{ID: "a", Needs: []string{"before"}, Run: takes(time.Second, nil)},
			Probe{ID: "b", Run: takes(time.Second, errors.New("no"))},
			Probe{ID: "needs a", Needs: []string{"a"}, Run: takes(time.Second, nil)},
			Probe{ID: "needs b", Needs: []string{"b"}, Run: takes(time.Second, nil)},
			Probe{ID: "needs that", Needs: []string{"needs b"}, Run: takes(time.Second, nil)},
			Probe{ID: "after b", After: []string{"b", "unheard of"}, Run: takes(time.Second, nil)},
			Probe{ID: "cannot", Run: takes(0, Skip(NoReference))},
		)
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("it took %v, want 3s", took)
		}
		want := map[string]struct {
			status Status
			reason Reason
		}{
			"before": {OK, ""}, "a": {OK, ""}, "b": {Failed, Other}, "needs a": {OK, ""}, "needs b": {Skipped, Dependent},
			"needs that": {Skipped, Dependent}, "after b": {OK, ""}, "cannot": {Skipped, NoReference},
		}
		list := r.List()
		if len(list) != len(want) {
			t.Fatalf("%d results, want %d", len(list), len(want))
		}
		for _, result := range list {
			if w := want[result.ID]; result.Status != w.status || result.Reason != w.reason {
				t.Errorf("%s: %s %q, want %s %q", result.ID, result.Status, result.Reason, w.status, w.reason)
			}
		}
		if b, _ := r.Get("b"); b.Detail != "no" || b.Values["at"] != 2*time.Second {
			t.Errorf("the values of a failed probe: %+v", b)
		}
		if !slices.Contains(events, "a ") || !slices.Contains(events, "a ok") ||
			slices.Contains(events, "needs b ") || !slices.Contains(events, "needs b skipped") {
			t.Errorf("events %q", events)
		}
	})
}

// TestRunEndsWithItsTime: probes that did not begin in time are skipped.
func TestRunEndsWithItsTime(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var r Results
	r.Run(ctx,
		Probe{ID: "last", Run: func(context.Context) (Values, error) { cancel(); return nil, nil }},
		Probe{ID: "late", After: []string{"last"},
			Run: func(context.Context) (Values, error) { return nil, nil }})
	if late, _ := r.Get("late"); late.Status != Skipped || !r.OK("last") {
		t.Errorf("%+v", r.List())
	}
}
