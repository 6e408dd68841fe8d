package load

import (
	"syscall"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
)

// lateCandidates holds back a page's candidates until the test releases them.
const lateCandidates = `
	window.late = [];
	window.RTCPeerConnection = class extends RTCPeerConnection {
		addEventListener(type, listener) {
			const hold = (event) => window.late ? window.late.push(() => listener(event)) : listener(event);
			super.addEventListener(type, type === 'icecandidate' ? hold : listener);
		}
	};`

// TestMediaComesBack makes Firefox give up a connection, by late candidates or by half a minute
// without the server, and checks that media flows both ways again within ten seconds.
func TestMediaComesBack(t *testing.T) {
	for _, c := range []struct {
		name  string
		seats [2]apptest.Starter
		seat  int // the seat of Firefox
	}{
		{"Firefox in the doctor's seat", [2]apptest.Starter{apptest.NewFirefox, apptest.NewChromium}, 0},
		{"Firefox in the patient's seat", [2]apptest.Starter{apptest.NewChromium, apptest.NewFirefox}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := apptest.StartServe(t, nil)
			now := time.Now()
			created, err := s.Admin.Create(t.Context(), now, now.Add(time.Hour), "")
			if err != nil {
				t.Fatal(err)
			}
			pages := []*apptest.Browser{c.seats[0](t, "", "doctor"), c.seats[1](t, "", "patient")}
			firefox, chromium := pages[c.seat], pages[1-c.seat]
			chromium.Prepend(t, lateCandidates)
			for i, b := range pages {
				b.Open(t, created.Seats[i].Link, "policy=relay&transport=udp")
				b.Join(t)
			}
			pages[0].LetIn(t)
			firefox.Wait(t, `['failed', 'closed'].includes(connections[0]?.connectionState)`)
			back := comesBack(t, pages, func() {
				chromium.Eval(t, `[window.late, window.late = null][0].forEach((say) => say())`, nil)
			})
			t.Logf("%v after the candidates arrived", back)

			goOn := func() { _ = s.Process.Signal(syscall.SIGCONT) }
			t.Cleanup(goOn)
			if err := s.Process.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			time.Sleep(30 * time.Second) // the outage under test
			for _, b := range pages {
				b.Wait(t, `!document.querySelector('#status').textContent.startsWith('Connected')`)
			}
			back = comesBack(t, pages, goOn)
			t.Logf("%v after the server was back", back)
		})
	}
}

// arrivedStats is apptest.ReadStats, or nothing if a connection was closed meanwhile, for which
// Firefox may never answer.
const arrivedStats = `Promise.race([` + apptest.ReadStats +
	`, new Promise((done) => setTimeout(done, 1000, {}))])`

// comesBack returns how long it takes, after an action, until more of the partner's sound and
// picture has arrived at every page.
func comesBack(t *testing.T, pages []*apptest.Browser, do func()) time.Duration {
	t.Helper()
	for _, b := range pages {
		b.Eval(t, arrivedStats+
			`.then(({ Frames = 0, Sound = 0 }) => void (window.before = { Frames, Sound, made: connections.length }))`, nil)
	}
	began := time.Now()
	do()
	for _, b := range pages {
		b.Wait(t, arrivedStats+`.then(({ Frames, Sound }) => {
			const before = connections.length > window.before.made ? { Frames: 0, Sound: 0 } : window.before;
			return Frames > before.Frames && Sound > before.Sound;
		})`)
	}
	took := time.Since(began)
	if took > 10*time.Second {
		t.Errorf("media only flows both ways after %v", took)
	}
	return took
}
