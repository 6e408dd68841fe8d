package appliance

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/appointment"
	"praxisrelay/systemd"
)

// drain is the state in which no consultation may begin, so that the appliance can be stopped when
// the running ones are over.
type drain struct {
	changing sync.Mutex // held until the relay has the same state
	stopping bool       // guarded by changing: this drain ends with the process

	mu    sync.Mutex
	on    bool
	until time.Time // the expected end; zero if unknown
}

func (d *drain) set(on bool, until time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.on, d.until = on, until
}

// get forgets an expected end that has passed. The drain itself only ends by a command or a
// restart.
func (d *drain) get(now time.Time) (on bool, until time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.until.After(now) {
		d.until = time.Time{}
	}
	return d.on, d.until
}

// draining reports whether no consultation may begin.
func (a *Appliance) draining() bool {
	on, _ := a.drain.get(time.Now())
	return on
}

// startDrain lets no consultation begin, and sends away everybody who is waiting for one.
func (a *Appliance) startDrain(until time.Time) {
	a.drain.changing.Lock()
	defer a.drain.changing.Unlock()
	a.drain.set(true, until)
	a.relay.Drain(true)
	a.signal.SendAway()
	_ = systemd.Status(a.state())
	a.log.Info("draining", "calls", a.relay.Calls())
}

// endDrain lets consultations begin again, and reports whether it did. It does not while the daemon
// is stopping: new consultations would be cut off, and would delay the stop.
func (a *Appliance) endDrain() (ended bool) {
	a.drain.changing.Lock()
	defer a.drain.changing.Unlock()
	if a.drain.stopping {
		return false
	}
	a.relay.Drain(false)
	a.drain.set(false, time.Time{})
	_ = systemd.Status(a.state())
	a.log.Info("not draining any more")
	return true
}

// state is the text for systemctl status.
func (a *Appliance) state() string {
	if a.draining() {
		return "draining: " + Count(a.relay.Calls(), "call")
	}
	return "serving"
}

// maintenance is signaling's view of a drain.
func (a *Appliance) maintenance(appointment string) (until time.Time, closed bool) {
	on, until := a.drain.get(time.Now())
	return until, on && !a.relay.Admits(appointment)
}

func (a *Appliance) serveStartDrain(w http.ResponseWriter, r *http.Request) {
	var wanted api.Drain
	if err := readOperation(w, r, 1<<10, &wanted); err != nil {
		http.Error(w, "the body is not what praxisrelay drain sends", http.StatusBadRequest)
		return
	}
	a.startDrain(wanted.Until)
	a.serveDrain(w, r)
}

func (a *Appliance) serveEndDrain(w http.ResponseWriter, r *http.Request) {
	if !a.endDrain() {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusConflict)
		_ = json.NewEncoder(w).Encode(api.Problem{
			Type: "about:blank", Title: http.StatusText(http.StatusConflict), Status: http.StatusConflict,
			Detail: "the daemon is stopping", Remedy: "consultations begin again once it has started again",
		})
		return
	}
	a.serveDrain(w, r)
}

func (a *Appliance) serveDrain(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	on, until := a.drain.get(now)
	answerOperation(w, api.Drained{Draining: on, Until: until, Calls: a.relay.Calls(),
		Next: a.nextOpening(r.Context(), now)})
}

// nextOpening is when the next appointment opens; zero if there is none.
func (a *Appliance) nextOpening(ctx context.Context, now time.Time) time.Time {
	list, err := a.registry.List(ctx) // ordered by opening, without appointments that cannot be read
	if err != nil {
		a.log.Error("appointments cannot be read", "error", err)
	}
	for _, row := range list {
		if row.State(now) == appointment.Upcoming {
			return row.Opens
		}
	}
	return time.Time{}
}

// finishCalls drains for up to drain_timeout, until no call is left or until a second signal. It
// keeps the service manager informed, so that this waits too.
func (a *Appliance) finishCalls(impatient <-chan os.Signal) {
	a.drain.changing.Lock()
	a.drain.stopping = true
	a.drain.changing.Unlock()
	most := a.inEffect().DrainTimeout
	calls := a.relay.Calls()
	if most == 0 || calls == 0 {
		return
	}
	if !a.draining() {
		a.startDrain(time.Time{})
	}
	a.log.Info("stops when the last call is over", "calls", calls, "at_most", most)
	second, last := time.NewTicker(time.Second), time.NewTimer(most)
	defer second.Stop()
	defer last.Stop()
	for ; calls > 0; calls = a.relay.Calls() {
		_ = systemd.ExtendTimeout(15 * time.Second)
		_ = systemd.Status("stops when the last call is over: " + Count(calls, "call"))
		select {
		case <-second.C:
		case <-impatient:
			a.log.Warn("stopped at once", "calls", calls)
			return
		case <-last.C:
			a.log.Warn("stopped with calls: drain_timeout is over", "calls", calls)
			return
		}
	}
}

// Count returns, for example, "1 call" or "2 calls".
func Count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
