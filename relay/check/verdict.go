package check

import "slices"

// Verdict summarizes a check for consultations from where it ran.
type Verdict string

// The verdicts.
const (
	Works      Verdict = "works"      // everything that the page uses is open
	Restricted Verdict = "restricted" // consultations work, but not every way
	Fails      Verdict = "fails"      // consultations do not work
	Unknown    Verdict = "unknown"    // the code gives no credential to check the relay with
)

// Conclusion is the meaning of the results.
type Conclusion struct {
	Verdict Verdict
	// Cause is the probe that best explains why consultations fail.
	Cause *Result
	// Best is the way that media takes from here; nil: none.
	Best *Way
	// Closed are the blocked ways, Intercepted those on which TLS is broken open. A way that is
	// open but cut or refused later, such as WebSockets, is neither.
	Closed, Intercepted []Way
	// Mute means that nothing answers on any way: perhaps there is no appliance.
	Mute bool
}

// Conclude judges results. A consultation does not depend on ways that no server of Servers uses.
func (t *Target) Conclude(results *Results) Conclusion {
	c := Conclusion{Verdict: Works}
	used := t.used()
	list := results.List()
	for _, r := range list {
		if r.Status != Failed {
			continue
		}
		if r.Way == nil || *r.Way == t.page() || len(used) == 0 || slices.Contains(used, *r.Way) {
			c.Verdict = Restricted
		}
		switch {
		case r.Way == nil || r.ID == "websocket" || r.ID == "polling":
		case r.Reason == Intercepted:
			c.Intercepted = appendNew(c.Intercepted, *r.Way)
		case r.Reason.blocks():
			c.Closed = appendNew(c.Closed, *r.Way)
		}
	}
	ways := t.Ports.Ways()
	c.Mute = len(ways) > 0 && !slices.ContainsFunc(ways, func(w Way) bool {
		r, tried := results.Get(w.lowest())
		_, proxied := r.Values["proxy"]
		return !tried || r.Status != Failed || proxied
	})
	for _, w := range t.working(results) {
		if slices.Contains(used, w) {
			c.Best = &w
			break
		}
	}
	if ice, _ := results.Get("ice"); c.Best == nil || ice.Status == Failed {
		c.Verdict, c.Cause = Fails, t.cause(results, used)
		if c.Cause != nil && (c.Cause.Reason == CodeRefused || c.Cause.Reason == NotAdmitted) {
			c.Verdict = Unknown
		}
	}
	return c
}

// cause returns the first failed probe among those that a consultation depends on.
func (t *Target) cause(results *Results, used []Way) *Result {
	page := t.page()
	order := []string{
		"dns", page.stream().id("connect"), page.id("tls"), page.id("own"), "http", "code", "credential",
	}
	for _, w := range used {
		order = append(order, w.id("connect"), w.stream().id("connect"), w.id("tls"), w.id("relay"))
	}
	for _, id := range append(order, "ice") {
		if r, ok := results.Get(id); ok && r.Status == Failed {
			return &r
		}
	}
	return nil
}

func appendNew(ways []Way, w Way) []Way {
	if slices.Contains(ways, w) {
		return ways
	}
	return append(ways, w)
}

// Rows records, for each failed probe of a way, which row of the firewall table opens the way.
func (r *Results) Rows(of func(Way) string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, result := range r.list {
		if result.Way != nil && result.Status == Failed {
			result.Row = of(*result.Way)
		}
	}
}
