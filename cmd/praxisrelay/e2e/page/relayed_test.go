package page

import (
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
)

// TestConsultationThroughTheRelayAlone runs calls between all combinations of browsers and seats,
// over every transport.
func TestConsultationThroughTheRelayAlone(t *testing.T) {
	t.Parallel()
	file, folder := apptest.WriteConfig(t)
	// Firefox only uses TURN over TLS with a name.
	apptest.Edit(t, file, "name: 127.0.0.1", "name: localhost")
	apptest.ReplaceCertificate(t, folder, "localhost")
	s := apptest.NewServed(folder)
	s.Daemon = apptest.Start(t, apptest.Program("serve", "--config", file), true, s.Serving)
	chromium, firefox := apptest.NewChromium(t, "", "chromium"), apptest.NewFirefox(t, "", "firefox")
	chromiumToo, firefoxToo := apptest.NewChromium(t, "", "another chromium"), apptest.NewFirefox(t, "",
		"another firefox")
	for _, call := range []struct {
		transport       string
		doctor, patient *apptest.Browser
	}{
		{"udp", chromium, firefox}, {"udp", firefox, chromium}, {"udp", chromium, chromiumToo},
		{"tcp", chromium, firefox}, {"tcp", firefox, chromium},
		{"tls", chromium, firefox}, {"tls", firefox, chromium}, {"tls", firefox, firefoxToo},
	} {
		doctor, patient, transport := call.doctor, call.patient, call.transport
		t.Run(doctor.Name+" to "+patient.Name+" over "+transport, func(t *testing.T) {
			created, err := s.Admin.Create(t.Context(), time.Now(), time.Now().Add(time.Hour), "")
			if err != nil {
				t.Fatal(err)
			}
			query := "policy=relay&transport=" + transport
			doctor.Open(t, created.Seats[0].Link, query)
			patient.Open(t, created.Seats[1].Link, query)
			patient.Write(t, "#name", "Ada L.")
			patient.Join(t)
			patient.Wait(t, apptest.IsWaiting)
			doctor.Join(t)
			doctor.LetIn(t)
			for _, b := range []*apptest.Browser{doctor, patient} {
				b.Wait(t, apptest.IsConnected)
				b.Wait(t, apptest.Flowing)
			}
			d, p := doctor.Media(t), patient.Media(t)
			t.Logf("doctor %+v, patient %+v", d, p)
			for b, m := range map[*apptest.Browser]apptest.Media{doctor: d, patient: p} {
				// A check from the partner's relayed address may arrive before its candidate.
				if m.Local != "relay" || m.Remote != "relay" && m.Remote != "prflx" {
					t.Errorf("%s: the nominated pair is %s to %s", b.Name, m.Local, m.Remote)
				}
				if m.RelayProtocol != transport {
					t.Errorf("%s: relayed over %s, want %s", b.Name, m.RelayProtocol, transport)
				}
			}
			if d.Inbound != p.Outbound || p.Inbound != d.Outbound || d.Inbound == d.Outbound {
				t.Errorf("the arriving video is not the partner's: %+v, %+v", d, p)
			}
			for range 3 {
				doctor.WaitForFrames(t, 15)
				patient.WaitForFrames(t, 15)
			}
			doctor.Wait(t, `document.querySelector('#status').textContent === 'Connected with Ada L.'`)

			// The partner sees a hang-up immediately, and joining again starts a new call.
			patient.Click(t, "#leave")
			doctor.Wait(t, apptest.HungUp)
			patient.Click(t, "#again")
			doctor.LetIn(t)
			doctor.Wait(t, apptest.IsConnected)
			patient.Wait(t, apptest.IsConnected)
			patient.Wait(t, apptest.Flowing)
			patient.Load(t, "about:blank")
			doctor.Load(t, "about:blank")
		})
	}
}
