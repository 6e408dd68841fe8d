package check

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

// Probe is one thing to try.
type Probe struct {
	ID  string
	Way *Way // the way it is about; nil: none
	// Needs are probes that must succeed, or this one is skipped. After are probes to wait for,
	// whatever their result.
	Needs, After []string
	// Run runs the probe. Its values are kept even if it fails.
	Run func(context.Context) (Values, error)
}

// Values are a probe's measurements, under the names listed in docs/check.md.
type Values map[string]any

// Status is the outcome of a probe.
type Status string

// The statuses.
const (
	OK      Status = "ok"
	Failed  Status = "failed"
	Skipped Status = "skipped"
)

// Result is the result of a probe.
type Result struct {
	ID     string `json:"id"`
	Way    *Way   `json:"way,omitempty"`
	Status Status `json:"status"`
	// Reason is why it failed or was skipped, for programs; Detail is for people who look closer.
	Reason Reason `json:"reason,omitempty"`
	Detail string `json:"detail,omitempty"`
	Values Values `json:"values,omitempty"`
	// Row is the id of the row in the firewall table that opens the way.
	Row string `json:"row,omitempty"`
}

// Results are the results of a whole check, in the order of the probes.
type Results struct {
	// Event, if set, is called when a probe begins, with no status, and when it ends; one call at a
	// time.
	Event func(Result)

	mu   sync.Mutex
	list []*Result
	over map[string]chan struct{}
}

// Run runs probes and returns when all have ended. They may need probes of earlier runs.
func (r *Results) Run(ctx context.Context, probes ...Probe) {
	r.mu.Lock()
	if r.over == nil {
		r.over = map[string]chan struct{}{}
	}
	results := make([]*Result, len(probes))
	for i, p := range probes {
		results[i] = &Result{ID: p.ID, Way: p.Way}
		r.list = append(r.list, results[i])
		r.over[p.ID] = make(chan struct{})
	}
	over := maps.Clone(r.over)
	r.mu.Unlock()
	var running sync.WaitGroup
	for i, p := range probes {
		running.Go(func() {
			defer close(over[p.ID])
			for _, id := range slices.Concat(p.Needs, p.After) {
				if done, ok := over[id]; ok {
					<-done
				}
			}
			r.run(ctx, p, results[i])
		})
	}
	running.Wait()
}

func (r *Results) run(ctx context.Context, p Probe, result *Result) {
	found := Result{ID: p.ID, Way: p.Way, Status: Skipped, Reason: Dependent}
	if ctx.Err() == nil && !slices.ContainsFunc(p.Needs, func(id string) bool { return !r.OK(id) }) {
		r.report(*result)
		values, err := p.Run(ctx)
		found.Status, found.Reason, found.Values = OK, "", values
		if err != nil {
			found.Status, found.Reason, found.Detail = Failed, ReasonOf(err), err.Error()
		}
		if skip, ok := errors.AsType[skipped](err); ok {
			found.Status, found.Reason, found.Detail = Skipped, skip.reason, ""
		}
	}
	r.mu.Lock()
	*result = found
	r.mu.Unlock()
	r.report(found)
}

func (r *Results) report(result Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Event != nil {
		r.Event(result)
	}
}

// List returns the results so far.
func (r *Results) List() (list []Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, result := range r.list {
		list = append(list, *result)
	}
	return list
}

// Get returns the result of a probe, and whether there is one.
func (r *Results) Get(id string) (Result, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, result := range r.list {
		if result.ID == id {
			return *result, true
		}
	}
	return Result{}, false
}

// OK reports whether a probe succeeded.
func (r *Results) OK(id string) bool {
	result, _ := r.Get(id)
	return result.Status == OK
}

// milliseconds formats durations for Values.
func milliseconds(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond).Microseconds()) / 1000
}
