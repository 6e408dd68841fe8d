package load

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/signal/admin/adminclient"
)

// TestChangingNetworkDuringACall takes away one participant's network while another one, with
// another address, is available. The call continues in less than five seconds without a reload. The
// test does so three times, since one attempt may meet a busy machine.
func TestChangingNetworkDuringACall(t *testing.T) {
	t.Run("the patient by WebSocket", func(t *testing.T) {
		changeNetworks(t, 1, "", [2]apptest.Starter{apptest.NewFirefox, apptest.NewChromium})
	})
	t.Run("the doctor by polls", func(t *testing.T) {
		changeNetworks(t, 0, "signaling=poll", [2]apptest.Starter{apptest.NewChromium, apptest.NewFirefox})
	})
}

// watchFreezes records the longest freeze of the partner's picture.
const watchFreezes = `(() => {
	const video = document.querySelector('#partner');
	let last = performance.now();
	window.freeze = 0;
	const tick = () => {
		const now = performance.now();
		window.freeze = Math.max(window.freeze, now - last);
		last = now;
		video.requestVideoFrameCallback(tick);
	};
	tick();
})()`

func changeNetworks(t *testing.T, mover int, query string, seats [2]apptest.Starter) {
	ip := apptest.Tool(t, "ip", "iproute2")
	if os.Geteuid() != 0 {
		apptest.Skip(t, "only root makes network namespaces: run the tests as root")
	}
	run := func(format string, args ...any) {
		t.Helper()
		words := strings.Fields(fmt.Sprintf(format, args...))
		if out, err := exec.Command(ip, words...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v: %s", words, err, out)
		}
	}
	host := func(name string) string {
		name = fmt.Sprintf("praxis%d%s", os.Getpid(), name)
		run("netns add %s", name)
		t.Cleanup(func() { _ = exec.Command(ip, "netns", "delete", name).Run() })
		run("-netns %s link set lo up", name)
		return name
	}
	server, doctorHost, patientHost := host("s"), host("d"), host("p")
	run("-netns %s address add 10.77.0.1/32 dev lo", server)
	cable := func(to, name string, network int) {
		run("link add %s netns %s type veth peer name %s netns %s", name, server, name, to)
		run("-netns %s address add 10.77.%d.1/24 dev %s", server, network, name)
		run("-netns %s address add 10.77.%d.2/24 dev %s", to, network, name)
		run("-netns %s link set %s up", server, name)
		run("-netns %s link set %s up", to, name)
		run("-netns %s route add default via 10.77.%d.1 metric %d", to, network, network)
	}
	places := []string{doctorHost, patientHost}
	cable(places[1-mover], "office", 1)
	cable(places[mover], "wifi", 2)
	cable(places[mover], "mobile", 3)

	file, folder := apptest.WriteConfig(t)
	apptest.Edit(t, file, "name: 127.0.0.1", "name: 10.77.0.1", "https: 127.0.0.1:0", "https: 10.77.0.1:443",
		"turn_udp: [127.0.0.1:0]", "turn_udp: [10.77.0.1:3478]", "turn_tcp: [127.0.0.1:0]",
		"turn_tcp: [10.77.0.1:3478]",
		"turn_tls: [127.0.0.1:0]", "turn_tls: [10.77.0.1:5349]")
	apptest.ReplaceCertificate(t, folder, "10.77.0.1")
	apptest.Start(t, apptest.Hosts{server}.On(0, apptest.Program("serve", "--config", file)), true,
		apptest.IsServing)
	created, err := adminclient.New(filepath.Join(folder, "admin.sock")).Create(t.Context(), time.Now(),
		time.Now().Add(time.Hour), "")
	if err != nil {
		t.Fatal(err)
	}
	pages := []*apptest.Browser{seats[0](t, doctorHost, "doctor"), seats[1](t, patientHost, "patient")}
	for i, page := range pages {
		page.Open(t, created.Seats[i].Link, "policy=relay&"+query)
	}
	apptest.Meet(t, pages[0], pages[1])
	pages[mover].Eval(t, `window.sameDocument = true`, nil)

	var frozen []time.Duration
	for i := range 3 {
		for _, page := range pages {
			page.Eval(t, watchFreezes, nil)
			page.WaitForFrames(t, 15)
		}
		gone, there, network := "wifi", "mobile", 3
		if i%2 == 1 {
			gone, there, network = "mobile", "wifi", 2
		}
		if i > 0 { // at first it is already there, as the second choice
			run("-netns %s link set %s up", places[mover], there)
			run("-netns %s route add default via 10.77.%d.1 metric %d", places[mover], network, network)
		}
		run("-netns %s link set %s down", places[mover], gone)
		var longest float64
		for _, page := range pages {
			page.WaitForFrames(t, 30) // more than was in transit
			var freeze float64
			page.Eval(t, `window.freeze`, &freeze)
			longest = max(longest, freeze)
		}
		frozen = append(frozen, time.Duration(longest)*time.Millisecond)
	}
	slices.Sort(frozen)
	t.Logf("the picture froze for %v", frozen)
	if frozen[1] > 5*time.Second {
		t.Errorf("the call only continued after %v", frozen[1])
	}
	var same bool
	if pages[mover].Eval(t, `window.sameDocument === true && window.connections.length === 1`, &same); !same {
		t.Error("the page was reloaded or the connection replaced")
	}
}
