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
	Way *Way // that it is about; nil: none
	// Needs are probes without whose success this one is skipped. After are those that
	// it waits for, whatever they find.
	Needs, After []string
	// Run tries it. What it measured is kept when it fails, too.
	Run func(context.Context) (Values, error)
}

// Values are what a probe measured, by names that docs/check.md lists.
type Values map[string]any

// Status is what became of a probe.
type Status string

// The statuses.
const (
	OK      Status = "ok"
	Failed  Status = "failed"
	Skipped Status = "skipped"
)

// Result is what a probe found.
type Result struct {
	ID     string `json:"id"`
	Way    *Way   `json:"way,omitempty"`
	Status Status `json:"status"`
	// Reason says why it failed, or was skipped, for programs; Detail for people who
	// look closer.
	Reason Reason `json:"reason,omitempty"`
	Detail string `json:"detail,omitempty"`
	Values Values `json:"values,omitempty"`
	// Row is the id of the firewall's row that lets the way through.
	Row string `json:"row,omitempty"`
}

// Results are those of a whole check, in the order in which the probes were given.
type Results struct {
	// Event, if there is one, is called when a probe begins, with no status, and when
	// it is over; one call at a time.
	Event func(Result)

	mu   sync.Mutex
	list []*Result
	over map[string]chan struct{}
}

// Run runs probes and returns when all are over. Those that ran before may be needed.
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
		r.tell(*result)
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
	r.tell(found)
}

func (r *Results) tell(result Result) {
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

// milliseconds is how durations are written in Values.
func milliseconds(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond).Microseconds()) / 1000
}
