package signal

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"praxisrelay/signal/client"
	"praxisrelay/signal/protocol"
)

// TestMaintenance: waiting clients are sent away and come back by themselves when it is over;
// clients in a call are left alone, and come and go.
func TestMaintenance(t *testing.T) {
	var running string
	var closed atomic.Bool
	until := day.Add(time.Hour)
	l := newLab(t, func(o *Options) {
		o.Maintenance = func(appointment string) (time.Time, bool) {
			return until, closed.Load() && appointment != running
		}
	})
	id, doctor, patient := l.seats(day)
	_, waits, late := l.seats(day)
	running = id
	for _, poll := range []bool{false, true} {
		by := client.Dialer{HTTP: l.web.Client(), Server: l.web.URL, Poll: poll}
		here, waiting := l.joinWith(by, doctor), l.joinWith(by, waits)
		first := waitICE(t, waiting)
		closed.Store(true)
		l.SendAway()
		if e := l.refused(late); e.Code != protocol.Maintenance || e.Until == nil || !e.Until.Equal(until) {
			t.Errorf("who joins is told %+v", e)
		}
		joined := l.joinWith(by, patient)
		if there := next(t, joined).Joined; there == nil || there.Epoch != here.Epoch() {
			t.Errorf("next to a call that runs: %+v", there)
		}
		if seated := l.rooms.seated(waiting.Welcome.Appointment); len(seated) != 0 {
			t.Errorf("seated are %v", seated)
		}
		closed.Store(false)
		if again := waitICE(t, waiting); again.Servers[0].Username != first.Servers[0].Username {
			t.Errorf("came back as %v", again)
		}
		for _, session := range []*client.Session{here, waiting, joined} {
			session.Close()
		}
	}
	// A session whose partner does not return meets nobody.
	closed.Store(true)
	if _, err := (client.Dialer{HTTP: l.web.Client(), Server: l.web.URL}).JoinWithKeys(t.Context(), late); !errors.As(err, new(*protocol.Error)) {
		t.Errorf("a new client: %v", err)
	}
}
