package apptest

import (
	"fmt"
	"testing"
)

// JavaScript expressions that are true in a state of the page.
const (
	IsWaiting   = `document.querySelector('#status').textContent.includes('Waiting')`
	HungUp      = `document.querySelector('#status').textContent.includes('hung up')`
	IsConnected = `window.connections.at(-1)?.connectionState === 'connected'`
	Flowing     = `(` + ReadStats + `).then((m) => m.Frames > 0)` // video is arriving
)

// Heard is a JavaScript expression that is true when the server has sent a frame at least this many
// times.
func Heard(name string, times int) string {
	return fmt.Sprintf(`window.heard.filter((name) => name === '%s').length >= %d`, name, times)
}

// Consult opens two pages and waits until their call is running.
func Consult(t *testing.T, seats [2]Starter, doctorLink, patientLink, doctorQuery,
	patientQuery string) (doctor, patient *Browser) {
	t.Helper()
	doctor, patient = seats[0](t, "", "doctor"), seats[1](t, "", "patient")
	doctor.Open(t, doctorLink, doctorQuery)
	patient.Open(t, patientLink, patientQuery)
	Meet(t, doctor, patient)
	return doctor, patient
}

// Meet joins with two open pages and waits until their call is running.
func Meet(t *testing.T, doctor, patient *Browser) {
	t.Helper()
	doctor.Join(t)
	patient.Join(t)
	doctor.LetIn(t)
	for _, b := range []*Browser{doctor, patient} {
		b.Wait(t, IsConnected)
		b.Wait(t, Flowing)
	}
}
