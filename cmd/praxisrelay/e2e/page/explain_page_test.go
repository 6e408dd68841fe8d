package page

import (
	"testing"

	"github.com/chromedp/chromedp"

	"praxisrelay/cmd/praxisrelay/apptest"
)

// TestThePageExplains checks that the doctor's page explains, in both languages and on a phone, why
// there is no connection, until there is one, and that the patient's page does not.
func TestThePageExplains(t *testing.T) {
	t.Parallel()
	info, _ := apptest.StartDemo(t)
	doctor, patient := apptest.NewBrowser(t, "doctor"), apptest.NewBrowser(t, "patient")
	// As if the network blocked everything: the patient's browser gets no relay.
	const blocked = `RTCPeerConnection = class extends RTCPeerConnection { constructor() { super({iceServers: [], iceTransportPolicy: 'relay'}); } }`
	doctor.Open(t, info.Doctor.Link, "policy=relay&lang=en")
	patient.Open(t, info.Patient.Link, "policy=relay")
	patient.Eval(t, blocked, nil)
	doctor.Join(t)
	patient.Join(t)
	doctor.LetIn(t)
	doctor.Wait(t, `document.querySelector('#explanation').textContent.startsWith("The patient's network lets nothing through")`)
	for _, width := range []int64{390, 1280} {
		doctor.Do(t, chromedp.EmulateViewport(width, 800))
		doctor.Wait(t, `(() => {
			const box = document.querySelector('#explanation').getBoundingClientRect();
			return box.left >= 0 && box.right <= innerWidth && box.bottom < document.querySelector('#controls button').getBoundingClientRect().top;
		})()`)
	}
	doctor.Click(t, `[data-lang="de"]`)
	doctor.Wait(t, `document.querySelector('#explanation').textContent.startsWith('Das Netz der Patientenseite lässt nichts zum Relay durch')`)
	var hidden bool
	patient.Eval(t, `document.querySelector('#explanation').hidden`, &hidden)
	if !hidden {
		t.Error("the patient's page explains it too")
	}
	patient.Open(t, info.Patient.Link, "policy=relay") // the same window, which has been let in
	patient.Join(t)
	doctor.Wait(t, apptest.IsConnected)
	doctor.Wait(t, `document.querySelector('#explanation').hidden`)
}
