package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
)

const (
	isWaiting = `document.querySelector('#status').textContent.includes('Waiting')`
	hungUp    = `document.querySelector('#status').textContent.includes('hung up')`
	flowing   = `(` + readStats + `).then((m) => m.Frames > 0)`
)

// heard is true when the server has said something so many times.
func heard(name string, times int) string {
	return fmt.Sprintf(`window.heard.filter((name) => name === '%s').length >= %d`, name, times)
}

// consult opens two pages and waits until their call flows.
func consult(t *testing.T, seats [2]starter, doctorLink, patientLink, doctorQuery, patientQuery string) (doctor, patient *browser) {
	t.Helper()
	doctor, patient = seats[0](t, "", "doctor"), seats[1](t, "", "patient")
	doctor.open(t, doctorLink, doctorQuery)
	patient.open(t, patientLink, patientQuery)
	meet(t, doctor, patient)
	return doctor, patient
}

// meet enters with two pages that are open and waits until their call flows.
func meet(t *testing.T, doctor, patient *browser) {
	t.Helper()
	doctor.join(t)
	patient.join(t)
	doctor.letIn(t)
	for _, b := range []*browser{doctor, patient} {
		b.wait(t, isConnected)
		b.wait(t, flowing)
	}
}

// TestPollingMeetsWebSocket: one page has no WebSocket, the call is the same.
func TestPollingMeetsWebSocket(t *testing.T) {
	t.Parallel()
	info, _ := startDemo(t)
	doctor, patient := newBrowser(t, "doctor"), newBrowser(t, "patient")
	asked := patient.watchRequests(t)
	doctor.open(t, info.Doctor.Link, "")
	patient.open(t, info.Patient.Link, "signaling=poll")
	patient.write(t, "#name", "Ada L.")
	patient.join(t)
	doctor.join(t)
	doctor.wait(t, `document.querySelector('#knock').textContent === 'Ada L. is waiting.'`)
	doctor.letIn(t)
	for _, b := range []*browser{doctor, patient} {
		b.wait(t, isConnected)
		b.wait(t, flowing)
	}
	for _, url := range asked() {
		if strings.HasPrefix(url, "wss:") {
			t.Errorf("the page that polls opened %s", url)
		}
	}
	patient.click(t, "#leave")
	doctor.wait(t, hungUp)
}

// TestPageWithoutWebSocketPolls: where sockets are refused the page polls by itself.
func TestPageWithoutWebSocketPolls(t *testing.T) {
	t.Parallel()
	info, _ := startDemo(t)
	b := newBrowser(t, "patient")
	b.do(t, network.Enable(), network.SetBlockedURLs([]string{"wss://*"}))
	b.open(t, info.Patient.Link, "")
	b.join(t)
	b.wait(t, isWaiting)
}

// TestPatientWaitsForTheDoctor: before they are let in there is no credential, and so
// no allocation, but a picture of their own.
func TestPatientWaitsForTheDoctor(t *testing.T) {
	t.Parallel()
	info, _ := startDemo(t)
	doctor, patient := newChromium(t, "", "doctor"), newFirefox(t, "", "patient")
	patient.open(t, info.Patient.Link, "")
	patient.join(t)
	patient.wait(t, isWaiting)
	doctor.open(t, info.Doctor.Link, "")
	doctor.join(t)
	patient.wait(t, `document.querySelector('#status').textContent.includes('will let you in')`)
	doctor.wait(t, `document.querySelector('#knock').textContent === 'The patient is waiting.'`)
	doctor.click(t, `[data-lang="de"]`)
	doctor.wait(t, `document.querySelector('#knock').textContent === 'Die Patientin oder der Patient wartet.'`)
	var before struct {
		Heard       []string
		Connections int
		Self        bool
	}
	patient.eval(t, `({Heard: heard, Connections: connections.length, Self: document.querySelector('#self').videoWidth > 0})`, &before)
	if slices.Contains(before.Heard, "ice") || before.Connections != 0 {
		t.Errorf("a patient who waits has heard %v and has %d connections", before.Heard, before.Connections)
	}
	if !before.Self {
		t.Error("a patient who waits does not see themselves")
	}
	doctor.letIn(t)
	patient.wait(t, heard("ice", 1))
	patient.wait(t, isConnected)
	doctor.wait(t, `document.querySelector('#admission').hidden`)
}

// TestSecondWindowTakesTheSeat: the first is told, does not come back, and is silent.
func TestSecondWindowTakesTheSeat(t *testing.T) {
	t.Parallel()
	info, _ := startDemo(t)
	doctor, first := consult(t, [2]starter{newChromium, newChromium}, info.Doctor.Link, info.Patient.Link, "", "")
	second := newBrowser(t, "second")
	second.open(t, info.Patient.Link, "")
	second.join(t)
	first.wait(t, `document.querySelector('#message').textContent.includes('another device')`)
	asked := first.watchRequests(t)
	first.eval(t, `(dispatchEvent(new Event('online')), document.dispatchEvent(new Event('visibilitychange')))`, nil)
	doctor.letIn(t)
	second.wait(t, isConnected)
	second.wait(t, flowing)
	second.arriving(t, 60)
	if urls := asked(); len(urls) > 0 {
		t.Errorf("the page that was replaced asked %v", urls)
	}
	first.wait(t, `connections.every((c) => c.connectionState === 'closed')`)
}

// TestPatientLeavesAndComesBack: the doctor learns at once that the page went, and need
// not let in the same window again.
func TestPatientLeavesAndComesBack(t *testing.T) {
	t.Parallel()
	for signaling, seats := range map[string][2]starter{
		"": {newChromium, newFirefox}, "signaling=poll": {newFirefox, newChromium},
	} {
		t.Run(signaling, func(t *testing.T) {
			info, _ := startDemo(t)
			doctor, patient := consult(t, seats, info.Doctor.Link, info.Patient.Link, "", signaling)
			patient.load(t, "about:blank")
			doctor.wait(t, heard("left", 1))
			doctor.wait(t, isWaiting)
			patient.open(t, info.Patient.Link, signaling)
			patient.join(t)
			for _, b := range []*browser{doctor, patient} {
				b.wait(t, isConnected)
				b.wait(t, flowing)
			}
		})
	}
}

// TestLeavingNeedsNoRequest: browsers may drop one that a page makes while it goes.
func TestLeavingNeedsNoRequest(t *testing.T) {
	t.Parallel()
	info, _ := startDemo(t)
	doctor, patient := newBrowser(t, "doctor"), newBrowser(t, "patient")
	doctor.open(t, info.Doctor.Link, "")
	patient.open(t, info.Patient.Link, "")
	meet(t, doctor, patient)
	patient.eval(t, `void (window.fetch = () => new Promise(() => {}))`, nil)
	patient.load(t, "about:blank")
	doctor.wait(t, heard("left", 1))
}

// TestTamperingIsShown: the page says so, and for good.
func TestTamperingIsShown(t *testing.T) {
	t.Parallel()
	info, _ := startDemo(t)
	doctor, patient := consult(t, [2]starter{newChromium, newChromium}, info.Doctor.Link, info.Patient.Link, "", "")
	doctor.eval(t, `void (window.tamper = (text) => {
		const frame = JSON.parse(text);
		if (frame.message) frame.message.sealed = frame.message.sealed.replace(/^./, (c) => c === 'A' ? 'B' : 'A');
		return JSON.stringify(frame);
	})`, nil)
	patient.click(t, "#leave")
	doctor.wait(t, `document.querySelector('#warning').checkVisibility() && document.querySelector('#warning').textContent.includes('tampered')`)
	doctor.click(t, `[data-lang="de"]`)
	doctor.wait(t, `document.querySelector('#warning').textContent.includes('verfälscht')`)
}

// TestDaemonRestartsInACall: what flows directly is not touched, what the relay carried
// comes back, and both without a reload.
func TestDaemonRestartsInACall(t *testing.T) {
	for policy, seats := range map[string][2]starter{"all": {newFirefox, newChromium}, "relay": {newChromium, newFirefox}} {
		t.Run(policy, func(t *testing.T) {
			s, file := startOnFixedPorts(t)
			now := time.Now()
			created, err := s.admin.Create(t.Context(), now, now.Add(time.Hour), "")
			if err != nil {
				t.Fatal(err)
			}
			doctor, patient := consult(t, seats, created.Seats[0].Link, created.Seats[1].Link, "policy="+policy, "policy="+policy)
			s.kill()
			if policy == "all" {
				doctor.arriving(t, 60)
			}
			s.daemon = start(t, program("serve", "--config", file), true, s.serving)
			doctor.wait(t, heard("welcome", 2))
			patient.wait(t, heard("ice", 2)) // the doctor's page let it in again
			var made struct{ Connections, Failures int }
			connections, failures := 0, 0
			for _, b := range []*browser{doctor, patient} {
				b.wait(t, isConnected)
				b.arriving(t, 30)
				b.eval(t, `({Connections: connections.length, Failures: failures})`, &made)
				connections, failures = max(connections, made.Connections), failures+made.Failures
			}
			// What failed is replaced, and what the relay carried where it arrives no more: once.
			if allowed := 1 + failures; connections > allowed && (policy == "all" || connections > allowed+1) {
				t.Errorf("%d connections were made for one call, of which %d failed", connections, failures)
			}
			patient.click(t, "#leave")
			doctor.wait(t, hungUp)
		})
	}
}

// startOnFixedPorts is startServe with ports that another daemon can take later.
func startOnFixedPorts(t *testing.T) (s *served, file string) {
	t.Helper()
	file, folder := writeConfig(t)
	for _, key := range []string{"https: ", "turn_udp: [", "turn_tcp: [", "turn_tls: ["} {
		edit(t, file, key+"127.0.0.1:0", key+"127.0.0.1:"+freePort(t))
	}
	s = newServed(folder)
	s.daemon = start(t, program("serve", "--config", file), true, s.serving)
	return s, file
}

// kill ends the daemon without any order.
func (d *daemon) kill() {
	d.once.Do(func() {
		_ = d.Process.Kill()
		<-d.ended
	})
}
