package main

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// TestThePageExplains: the doctor sees why there is no connection, in both languages and
// on a phone too, until there is one; the patient sees nothing of it.
func TestThePageExplains(t *testing.T) {
	t.Parallel()
	info, _ := startDemo(t)
	doctor, patient := newBrowser(t, "doctor"), newBrowser(t, "patient")
	// As if the network let nothing through: the patient's browser knows of no relay.
	const blocked = `RTCPeerConnection = class extends RTCPeerConnection { constructor() { super({iceServers: [], iceTransportPolicy: 'relay'}); } }`
	doctor.open(t, info.Doctor.Link, "policy=relay&lang=en")
	patient.open(t, info.Patient.Link, "policy=relay")
	patient.eval(t, blocked, nil)
	doctor.join(t)
	patient.join(t)
	doctor.letIn(t)
	doctor.wait(t, `document.querySelector('#explanation').textContent.startsWith("The patient's network lets nothing through")`)
	for _, width := range []int64{390, 1280} {
		doctor.do(t, chromedp.EmulateViewport(width, 800))
		doctor.wait(t, `(() => {
			const box = document.querySelector('#explanation').getBoundingClientRect();
			return box.left >= 0 && box.right <= innerWidth && box.bottom < document.querySelector('#controls button').getBoundingClientRect().top;
		})()`)
	}
	doctor.click(t, `[data-lang="de"]`)
	doctor.wait(t, `document.querySelector('#explanation').textContent.startsWith('Das Netz der Patientenseite lässt nichts zum Relay durch')`)
	var hidden bool
	patient.eval(t, `document.querySelector('#explanation').hidden`, &hidden)
	if !hidden {
		t.Error("the patient is told why")
	}
	patient.open(t, info.Patient.Link, "policy=relay") // the same window, which was let in
	patient.join(t)
	doctor.wait(t, isConnected)
	doctor.wait(t, `document.querySelector('#explanation').hidden`)
}
