package ops

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/signal/admin/adminclient"
)

// noteCandidates records the partner's candidates.
const noteCandidates = `
	window.candidates = [];
	const add = RTCPeerConnection.prototype.addIceCandidate;
	RTCPeerConnection.prototype.addIceCandidate = function (candidate) {
		window.candidates.push(candidate.candidate);
		return add.call(this, candidate);
	};`

// TestCandidatesThatShareTheRelaysAddress checks a participant whose candidates have the relay's
// own address. The call still goes through the relay if no other way is open.
func TestCandidatesThatShareTheRelaysAddress(t *testing.T) {
	t.Parallel()
	for _, place := range []struct {
		name, address string
		port          string // the UDP port that the host lets through
	}{
		// Behind the gateway, everybody appears with the public address, to the appliance too.
		{"behind the appliance's gateway", "203.0.113.1", "3478"},
		{"on the appliance's host without UDP", "10.78.0.2", "0"},
	} {
		t.Run(place.name, func(t *testing.T) {
			g := newGateway(t)
			server := g.hosts[0]
			for host, rules := range map[string]string{
				g.hosts[1]: "insert rule ip gateway out ip saddr 10.78.0.2 snat to 203.0.113.1",
				server: "add table inet host; add chain inet host out { type filter hook output priority 0; policy accept; };" +
					"add rule inet host out udp dport " + place.port +
					" accept; add rule inet host out udp sport " + place.port + " accept;" +
					"add rule inet host out meta l4proto udp drop",
			} {
				g.run(apptest.Hosts{host}.On(0, exec.Command("nft", rules)))
			}
			file, folder := apptest.WriteConfig(t)
			apptest.Edit(t, file, "name: 127.0.0.1", "name: "+place.address, "https: 127.0.0.1:0",
				"https: 10.78.0.2:443",
				"turn_udp: [127.0.0.1:0]", "turn_udp: [10.78.0.2:3478]", "turn_tcp: [127.0.0.1:0]",
				"turn_tcp: [10.78.0.2:3478]",
				"turn_tls: [127.0.0.1:0]", "turn_tls: [10.78.0.2:5349]", "relay: {",
				"relay: {public_address: "+place.address+", ")
			apptest.ReplaceCertificate(t, folder, place.address)
			apptest.Start(t, g.hosts.On(0, apptest.Program("serve", "--config", file)), true,
				apptest.IsServing)
			admin := adminclient.New(filepath.Join(folder, "admin.sock"))
			firefox := apptest.NewFirefox(t, server, "firefox")
			chromium := apptest.NewChromium(t, server, "chromium")
			anotherFirefox := apptest.NewFirefox(t, server, "another firefox")
			for _, b := range []*apptest.Browser{firefox, chromium, anotherFirefox} {
				b.Prepend(t, noteCandidates)
			}
			for _, pages := range [][2]*apptest.Browser{{firefox, chromium}, {chromium, firefox},
				{firefox, anotherFirefox}} {
				created, err := admin.Create(t.Context(), time.Now(), time.Now().Add(time.Hour), "")
				if err != nil {
					t.Fatal(err)
				}
				for i, page := range pages {
					page.Open(t, created.Seats[i].Link, "")
				}
				apptest.Meet(t, pages[0], pages[1])
				for _, page := range pages {
					page.WaitForFrames(t, 30)
					page.Wait(t,
						fmt.Sprintf(`candidates.some((c) => c.includes(' %s ') && !c.includes('typ relay'))`, place.address))
					if m := page.Media(t); m.Local != "relay" {
						t.Errorf("%s to %s: the call of %s goes another way: %+v", pages[0].Name,
							pages[1].Name, page.Name, m)
					}
				}
				for _, page := range pages {
					page.Load(t, "about:blank")
				}
			}
		})
	}
}
