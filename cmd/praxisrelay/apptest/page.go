package apptest

import (
	"fmt"
	"testing"
)

const (
	IsWaiting = `document.querySelector('#status').textContent.includes('Waiting')`
	HungUp    = `document.querySelector('#status').textContent.includes('hung up')`
	Flowing   = `(` + ReadStats + `).then((m) => m.Frames > 0)`
)

// Heard is true when the server has said something so many times.
func Heard(name string, times int) string {
	return fmt.Sprintf(`window.heard.filter((name) => name === '%s').length >= %d`, name, times)
}

// Consult opens two pages and waits until their call flows.
func Consult(t *testing.T, seats [2]Starter, doctorLink, patientLink, doctorQuery, patientQuery string) (doctor, patient *Browser) {
	t.Helper()
	doctor, patient = seats[0](t, "", "doctor"), seats[1](t, "", "patient")
	doctor.Open(t, doctorLink, doctorQuery)
	patient.Open(t, patientLink, patientQuery)
	Meet(t, doctor, patient)
	return doctor, patient
}

// Meet enters with two pages that are open and waits until their call flows.
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

const IsConnected = `window.connections.at(-1)?.connectionState === 'connected'`
