package main

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

// lateCandidates keeps a page's candidates until the test releases them.
const lateCandidates = `
	window.late = [];
	window.RTCPeerConnection = class extends RTCPeerConnection {
		addEventListener(type, listener) {
			const hold = (event) => window.late ? window.late.push(() => listener(event)) : listener(event);
			super.addEventListener(type, type === 'icecandidate' ? hold : listener);
		}
	};`

// TestMediaComesBack: Firefox has given a connection up, because candidates came too late or
// the server was away for half a minute. Media flows both ways again within ten seconds.
func TestMediaComesBack(t *testing.T) {
	for _, c := range []struct {
		name  string
		seats [2]starter
		seat  int // of Firefox
	}{
		{"Firefox in the doctor's seat", [2]starter{newFirefox, newChromium}, 0},
		{"Firefox in the patient's seat", [2]starter{newChromium, newFirefox}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := startServe(t, nil)
			now := time.Now()
			created, err := s.admin.Create(t.Context(), now, now.Add(time.Hour), "")
			if err != nil {
				t.Fatal(err)
			}
			pages := []*browser{c.seats[0](t, "", "doctor"), c.seats[1](t, "", "patient")}
			firefox, chromium := pages[c.seat], pages[1-c.seat]
			chromium.prepend(t, lateCandidates)
			for i, b := range pages {
				b.open(t, created.Seats[i].Link, "policy=relay")
				b.join(t)
			}
			pages[0].letIn(t)
			firefox.wait(t, gaveUp(1))
			back := comesBack(t, pages, func() {
				chromium.eval(t, `[window.late, window.late = null][0].forEach((say) => say())`, nil)
			})
			t.Logf("%v after the candidates came", back)

			var made int
			firefox.eval(t, `connections.length`, &made)
			goOn := func() { _ = s.Process.Signal(syscall.SIGCONT) }
			t.Cleanup(goOn)
			_ = s.Process.Signal(syscall.SIGSTOP)
			firefox.wait(t, fmt.Sprintf(`connections[%d].iceConnectionState === 'disconnected'`, made-1))
			firefox.wait(t, gaveUp(made))
			back = comesBack(t, pages, goOn)
			t.Logf("%v after the server was there again", back)
		})
	}
}

// gaveUp is true when the nth connection of a page is of no use any more.
func gaveUp(n int) string {
	return fmt.Sprintf(`['failed', 'closed'].includes(connections[%d]?.connectionState)`, n-1)
}

// comesBack returns how long it takes, after something was done, until more of the partner's
// sound and picture arrives at every page.
func comesBack(t *testing.T, pages []*browser, do func()) time.Duration {
	t.Helper()
	for _, b := range pages {
		b.eval(t, `void (`+readStats+`).then((m) => window.before = { ...m, connections: connections.length })`, nil)
	}
	began := time.Now()
	do()
	for _, b := range pages {
		b.wait(t, `(`+readStats+`).then(({ Frames, Sound }) => {
			const before = connections.length > window.before.connections ? { Frames: 0, Sound: 0 } : window.before;
			return Frames > before.Frames && Sound > before.Sound;
		})`)
	}
	took := time.Since(began)
	if took > 10*time.Second {
		t.Errorf("media flows both ways only after %v", took)
	}
	return took
}
