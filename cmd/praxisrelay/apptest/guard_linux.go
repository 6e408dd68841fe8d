package apptest

import (
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"praxisrelay/config"
	"praxisrelay/config/firewall"
)

// Guarded and Outside are the addresses of the appliance's host and of the clients' host, IPv4
// first.
var (
	Guarded = []string{"10.78.0.1", "fd00:78::1"}
	Outside = []string{"10.78.0.2", "fd00:78::2"}
)

// Guard runs an appliance on one of two hosts and returns the plan for its firewall rule sets.
func Guard(t *testing.T, settings ...string) (h Hosts, folder string, plan firewall.Plan) {
	t.Helper()
	h = NewHosts(t, [2]string{Guarded[0] + "/24", Outside[0] + "/24"})
	for _, command := range []string{
		h[0] + " link set lo up",
		h[0] + " address add " + Guarded[1] + "/64 dev cable nodad",
		h[1] + " address add " + Outside[1] + "/64 dev cable nodad",
	} {
		if out, err := exec.Command("ip", append([]string{"-netns"},
			strings.Fields(command)...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	file, folder := WriteConfig(t)
	Edit(t, file, append([]string{"https: 127.0.0.1:0", "https: ':443'", "turn_udp: [127.0.0.1:0]",
		"turn_udp: [':3478']",
		"turn_tcp: [127.0.0.1:0]", "turn_tcp: [':3478']", "turn_tls: [127.0.0.1:0]", "turn_tls: [':5349']"}, settings...)...)
	Start(t, h.On(0, Program("serve", "--config", file)), true, IsServing)
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	management := netip.PrefixFrom(netip.MustParseAddr(Outside[0]), 32)
	plan, err = firewall.New(c, firewall.Site{Management: []netip.Prefix{management}, AsOf: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return h, folder, plan
}
