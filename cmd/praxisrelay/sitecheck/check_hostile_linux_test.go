package sitecheck_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/cmd/praxisrelay/sitecheck"
	"praxisrelay/relay/check"
)

// TestAttackOnTheOpenRelay checks that the attack finds nothing on a host with a public address,
// and with relay.allow exactly what that lets through.
func TestAttackOnTheOpenRelay(t *testing.T) {
	t.Parallel()
	h := apptest.NewHosts(t, [2]string{"9.8.7.6/24", "9.8.7.5/24"})
	for _, command := range []string{"link set lo up", "address add 2606:4700:7::6/64 dev cable nodad"} {
		if out, err := exec.Command("ip", append([]string{"-netns", h[0]},
			strings.Fields(command)...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	attack := func(t *testing.T, allow string) (sitecheck.AttackReport, string, int) {
		file, folder := apptest.WriteConfig(t)
		apptest.Edit(t, file, "https: 127.0.0.1:0", "https: ':443'", "turn_udp: [127.0.0.1:0]",
			"turn_udp: [':3478']",
			"turn_tcp: [127.0.0.1:0]", "turn_tcp: [':3478']", "turn_tls: [127.0.0.1:0]",
			"turn_tls: [':5349']",
			"relay: {", "relay: {peers: open, addresses: ['9.8.7.6', '2606:4700:7::6'], allow: ["+allow+"], ")
		s := apptest.NewServed(folder)
		s.Daemon = apptest.Start(t, h.On(0, apptest.Program("serve", "--config", file)), true, s.Serving)
		defer s.Stop(t)
		return attacked(t, h.On(0, apptest.Program("check", "--hostile", "--json", "--socket", s.Socket,
			"https://9.8.7.6/")))
	}
	t.Run("as it is installed", func(t *testing.T) {
		report, said, code := attack(t, "")
		isTight(t, report, "open", code, said)
	})
	t.Run("with relay.allow", func(t *testing.T) {
		report, said, code := attack(t, "10.0.0.0/8, 127.0.0.1/32")
		if code != 3 || report.Verdict != sitecheck.Leaks || len(report.Untried) != 0 ||
			!strings.Contains(report.Sentence, "relay.allow") {
			t.Fatalf("exit code %d: %.3000s", code, said)
		}
		var want []string
		// An ISATAP address's prefix is public, and the address that it carries is allowed.
		for _, peer := range []string{
			"10.0.0.0", "10.255.255.255", "127.0.0.1",
			"[2606:4700::5efe:a00:1]", "[2606:4700::5efe:7f00:1]", "[2606:4700::200:5efe:7f00:1]",
		} {
			want = append(want, "CreatePermission for "+peer+" success", "ChannelBind to "+peer+" success")
		}
		want = append(want, "Send to 127.0.0.1 it arrived", "ChannelData to 127.0.0.1 it arrived")
		slices.Sort(want)
		found := map[check.Way][]string{}
		for _, try := range report.Accepted {
			name := try.Name[:strings.LastIndexByte(try.Name, ':')] // without the port
			found[*try.Way] = append(found[*try.Way], name+" "+try.Answer)
		}
		for _, way := range report.Ways {
			slices.Sort(found[way])
			if !slices.Equal(found[way], want) {
				t.Errorf("%v: found %q, want %q", way, found[way], want)
			}
		}
	})
}
