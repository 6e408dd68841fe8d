package page

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/signal/client"
)

// TestPollingMeetsWebSocket checks that the call is the same if one page has no WebSocket.
func TestPollingMeetsWebSocket(t *testing.T) {
	t.Parallel()
	info, _ := apptest.StartDemo(t)
	doctor, patient := apptest.NewBrowser(t, "doctor"), apptest.NewBrowser(t, "patient")
	asked := patient.WatchRequests(t)
	doctor.Open(t, info.Doctor.Link, "")
	patient.Open(t, info.Patient.Link, "signaling=poll")
	patient.Write(t, "#name", "Ada L.")
	patient.Join(t)
	doctor.Join(t)
	doctor.Wait(t, `document.querySelector('#knock').textContent === 'Ada L. is waiting.'`)
	doctor.LetIn(t)
	for _, b := range []*apptest.Browser{doctor, patient} {
		b.Wait(t, apptest.IsConnected)
		b.Wait(t, apptest.Flowing)
	}
	for _, url := range asked() {
		if strings.HasPrefix(url, "wss:") {
			t.Errorf("the page that polls opened %s", url)
		}
	}
	patient.Click(t, "#leave")
	doctor.Wait(t, apptest.HungUp)
}

// TestPageWithoutWebSocketPolls checks that the page polls by itself where sockets are refused.
func TestPageWithoutWebSocketPolls(t *testing.T) {
	t.Parallel()
	info, _ := apptest.StartDemo(t)
	b := apptest.NewBrowser(t, "patient")
	b.Do(t, network.Enable(), network.SetBlockedURLs([]string{"wss://*"}))
	b.Open(t, info.Patient.Link, "")
	b.Join(t)
	b.Wait(t, apptest.IsWaiting)
}

// TestPatientWaitsForTheDoctor checks that patients have no credential, and so no allocation, until
// they are let in, but see their own picture.
func TestPatientWaitsForTheDoctor(t *testing.T) {
	t.Parallel()
	info, _ := apptest.StartDemo(t)
	doctor, patient := apptest.NewChromium(t, "", "doctor"), apptest.NewFirefox(t, "", "patient")
	patient.Open(t, info.Patient.Link, "")
	patient.Join(t)
	patient.Wait(t, apptest.IsWaiting)
	doctor.Open(t, info.Doctor.Link, "")
	doctor.Join(t)
	patient.Wait(t, `document.querySelector('#status').textContent.includes('will let you in')`)
	doctor.Wait(t, `document.querySelector('#knock').textContent === 'The patient is waiting.'`)
	doctor.Click(t, `[data-lang="de"]`)
	doctor.Wait(t, `document.querySelector('#knock').textContent === 'Die Patientin oder der Patient wartet.'`)
	var before struct {
		Heard       []string
		Connections int
		Self        bool
	}
	patient.Eval(t, `({Heard: heard, Connections: connections.length, Self: document.querySelector('#self').videoWidth > 0})`, &before)
	if slices.Contains(before.Heard, "ice") || before.Connections != 0 {
		t.Errorf("a waiting patient has got %v and has %d connections", before.Heard, before.Connections)
	}
	if !before.Self {
		t.Error("a waiting patient does not see their own picture")
	}
	doctor.LetIn(t)
	patient.Wait(t, apptest.Heard("ice", 1))
	patient.Wait(t, apptest.IsConnected)
	doctor.Wait(t, `document.querySelector('#admission').hidden`)
}

// TestSecondWindowTakesTheSeat checks that the first window says so, does not come back, and is
// silent.
func TestSecondWindowTakesTheSeat(t *testing.T) {
	t.Parallel()
	info, _ := apptest.StartDemo(t)
	doctor, first := apptest.Consult(t, [2]apptest.Starter{apptest.NewChromium, apptest.NewChromium},
		info.Doctor.Link, info.Patient.Link, "", "")
	second := apptest.NewBrowser(t, "second")
	second.Open(t, info.Patient.Link, "")
	second.Join(t)
	first.Wait(t, `document.querySelector('#message').textContent.includes('another device')`)
	asked := first.WatchRequests(t)
	first.Eval(t, `(dispatchEvent(new Event('online')), document.dispatchEvent(new Event('visibilitychange')))`, nil)
	doctor.LetIn(t)
	second.Wait(t, apptest.IsConnected)
	second.Wait(t, apptest.Flowing)
	second.WaitForFrames(t, 60)
	if urls := asked(); len(urls) > 0 {
		t.Errorf("the replaced page requested %v", urls)
	}
	first.Wait(t, `connections.every((c) => c.connectionState === 'closed')`)
}

// TestPatientLeavesAndComesBack checks that the doctor sees immediately that the page is gone, and
// need not let the same window in again.
func TestPatientLeavesAndComesBack(t *testing.T) {
	t.Parallel()
	for signaling, seats := range map[string][2]apptest.Starter{
		"": {apptest.NewChromium, apptest.NewFirefox}, "signaling=poll": {apptest.NewFirefox, apptest.NewChromium},
	} {
		t.Run(signaling, func(t *testing.T) {
			info, _ := apptest.StartDemo(t)
			doctor, patient := apptest.Consult(t, seats, info.Doctor.Link, info.Patient.Link, "", signaling)
			patient.Load(t, "about:blank")
			doctor.Wait(t, apptest.Heard("left", 1))
			doctor.Wait(t, apptest.IsWaiting)
			patient.Open(t, info.Patient.Link, signaling)
			patient.Join(t)
			for _, b := range []*apptest.Browser{doctor, patient} {
				b.Wait(t, apptest.IsConnected)
				b.Wait(t, apptest.Flowing)
			}
		})
	}
}

// TestLeavingNeedsNoRequest checks that leaving is noticed without a request from the page:
// browsers may drop one that is made while the page is left.
func TestLeavingNeedsNoRequest(t *testing.T) {
	t.Parallel()
	info, _ := apptest.StartDemo(t)
	doctor, patient := apptest.NewBrowser(t, "doctor"), apptest.NewBrowser(t, "patient")
	doctor.Open(t, info.Doctor.Link, "")
	patient.Open(t, info.Patient.Link, "")
	apptest.Meet(t, doctor, patient)
	patient.Eval(t, `void (window.fetch = () => new Promise(() => {}))`, nil)
	patient.Load(t, "about:blank")
	doctor.Wait(t, apptest.Heard("left", 1))
}

// TestTamperingIsShown checks that the page reports tampering, and keeps doing so.
func TestTamperingIsShown(t *testing.T) {
	t.Parallel()
	info, _ := apptest.StartDemo(t)
	doctor, patient := apptest.Consult(t, [2]apptest.Starter{apptest.NewChromium, apptest.NewChromium},
		info.Doctor.Link, info.Patient.Link, "", "")
	doctor.Eval(t, `void (window.tamper = (text) => {
		const frame = JSON.parse(text);
		if (frame.message) frame.message.sealed = frame.message.sealed.replace(/^./, (c) => c === 'A' ? 'B' : 'A');
		return JSON.stringify(frame);
	})`, nil)
	patient.Click(t, "#leave")
	doctor.Wait(t, `document.querySelector('#warning').checkVisibility() && document.querySelector('#warning').textContent.includes('tampered')`)
	doctor.Click(t, `[data-lang="de"]`)
	doctor.Wait(t, `document.querySelector('#warning').textContent.includes('verfälscht')`)
}

// TestRestartsAreNotTampering: after a restart a client repeats what the old server had not
// acknowledged. The page has opened some of that before, or newer messages since: it drops
// those, and accuses nobody.
func TestRestartsAreNotTampering(t *testing.T) {
	s, file := startOnFixedPorts(t)
	restart := func() {
		t.Helper()
		s.Daemon = apptest.Start(t, apptest.Program("serve", "--config", file), true, s.Serving)
	}
	doctor, seats := alone(t, s, 0)
	doctor.Eval(t, `void (window.warned = [], console.warn = (...words) => warned.push(words.join(' ')))`, nil)
	held := &gate{RoundTripper: s.HTTPS(t).Transport}
	patient, err := client.Dialer{HTTP: &http.Client{Transport: held}, Server: s.URL}.JoinWithKeys(t.Context(), seats[1].Keys)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { patient.Close() })
	to := patient.Welcome.Present[0]
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	until := func(done func(client.Event) bool) {
		t.Helper()
		for {
			if e, err := patient.Receive(ctx); err != nil {
				t.Fatal(err)
			} else if done(e) {
				return
			}
		}
	}
	isBack := func(e client.Event) bool { return e.Joined != nil }
	arrives := func(name string) {
		t.Helper()
		tell(t, patient, to, map[string]string{"name": name})
		doctor.Wait(t, visible("#knock", name+" is waiting."))
	}
	arrives("Ada")

	// The page comes back after its partner, whose second message has been lost by then.
	doctor.Eval(t, `void (window.before = { fetch, WebSocket },
		window.fetch = () => Promise.reject(new TypeError('no network')),
		window.WebSocket = class extends before.WebSocket { constructor() { super('wss://127.0.0.1:1'); } })`, nil)
	s.Kill()
	tell(t, patient, to, map[string]string{"name": "Grace"})
	restart()
	until(func(e client.Event) bool { return e.Absent != nil && e.Absent.Seq == 1 })
	doctor.Eval(t, `void Object.assign(window, before)`, nil)
	until(isBack)
	arrives("Hedy")

	// Now it comes back before its partner, and so hears what that repeats.
	var welcomes int
	doctor.Eval(t, `heard.filter((name) => name === 'welcome').length`, &welcomes)
	held.Lock()
	s.Kill()
	restart()
	doctor.Wait(t, apptest.Heard("welcome", welcomes+1))
	held.Unlock()
	until(isBack)
	arrives("Marie")
	doctor.Is(t, `!document.querySelector('#warning').checkVisibility()`)
	doctor.Is(t, `!/replayed|reordered/.test(warned)`)
}

// gate holds the requests of a client back while it is locked.
type gate struct {
	http.RoundTripper
	sync.RWMutex
}

func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	g.RLock()
	defer g.RUnlock()
	return g.RoundTripper.RoundTrip(r)
}

// TestDaemonRestartsInACall checks that direct media is not affected, and that relayed media comes
// back, both without a reload.
func TestDaemonRestartsInACall(t *testing.T) {
	for policy, seats := range map[string][2]apptest.Starter{"all": {apptest.NewFirefox,
		apptest.NewChromium}, "relay": {apptest.NewChromium, apptest.NewFirefox}} {
		t.Run(policy, func(t *testing.T) {
			s, file := startOnFixedPorts(t)
			now := time.Now()
			created, err := s.Admin.Create(t.Context(), now, now.Add(time.Hour), "")
			if err != nil {
				t.Fatal(err)
			}
			doctor, patient := apptest.Consult(t, seats, created.Seats[0].Link, created.Seats[1].Link,
				"policy="+policy, "policy="+policy)
			s.Kill()
			if policy == "all" {
				doctor.WaitForFrames(t, 60)
			}
			s.Daemon = apptest.Start(t, apptest.Program("serve", "--config", file), true, s.Serving)
			doctor.Wait(t, apptest.Heard("welcome", 2))
			patient.Wait(t, apptest.Heard("ice", 2)) // the doctor's page has let it in again
			var made struct{ Connections, Failures int }
			connections, failures := 0, 0
			for _, b := range []*apptest.Browser{doctor, patient} {
				b.Wait(t, apptest.IsConnected)
				b.WaitForFrames(t, 30)
				b.Eval(t, `({Connections: connections.length, Failures: failures})`, &made)
				connections, failures = max(connections, made.Connections), failures+made.Failures
			}
			// A connection that failed, or over which relayed media no longer arrives, is replaced
			// once.
			if allowed := 1 + failures; connections > allowed &&
				(policy == "all" || connections > allowed+1) {
				t.Errorf("%d connections were made for one call, of which %d failed", connections, failures)
			}
			patient.Click(t, "#leave")
			doctor.Wait(t, apptest.HungUp)
		})
	}
}

// startOnFixedPorts is apptest.StartServe with ports that another daemon can use later.
func startOnFixedPorts(t *testing.T) (s *apptest.Served, file string) {
	t.Helper()
	file, folder := apptest.WriteConfig(t)
	for _, key := range []string{"https: ", "turn_udp: [", "turn_tcp: [", "turn_tls: ["} {
		apptest.Edit(t, file, key+"127.0.0.1:0", key+"127.0.0.1:"+apptest.FreePort(t))
	}
	s = apptest.NewServed(folder)
	s.Daemon = apptest.Start(t, apptest.Program("serve", "--config", file), true, s.Serving)
	return s, file
}
