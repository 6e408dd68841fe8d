package turn

import (
	"os/exec"
	"testing"

	"praxisrelay/cmd/praxisrelay/apptest"
)

// TestIPv6OnlyHost checks that an appliance without an IPv4 address serves clients with default
// requests, which ask for an IPv4 relayed address, over every transport, and from link-local
// addresses too.
func TestIPv6OnlyHost(t *testing.T) {
	apptest.Tool(t, "turnutils_uclient", "coturn")
	h := apptest.NewHosts(t, [2]string{"fd00:7::1/64", "fd00:7::2/64"})
	file, folder := apptest.WriteConfig(t)
	// The certificate has another name, which coturn's client ignores.
	apptest.Edit(t, file, "https: 127.0.0.1:0", "https: ':443'", "turn_udp: [127.0.0.1:0]",
		"turn_udp: [':3478', ':443']",
		"turn_tcp: [127.0.0.1:0]", "turn_tcp: [':3478']", "turn_tls: [127.0.0.1:0]", "turn_tls: [':5349']")
	apptest.Start(t, h.On(0, apptest.Program("serve", "--config", file)), true, apptest.IsServing)

	// the kernel's own take a second to be usable
	for i, address := range []string{"fe80::7/64", "fe80::8/64"} {
		c := h.On(i, exec.Command("ip", "address", "add", address, "dev", "cable", "nodad"))
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	c := apptest.DoctorCredential(t, folder, "a")
	for name, flags := range map[string][]string{
		"udp": {"-p", "3478", "fd00:7::1"}, "udp on 443": {"-p", "443", "fd00:7::1"}, "tcp": {"-p", "3478", "-t", "fd00:7::1"},
		"tls":            {"-p", "5349", "-t", "-S", "-z", "100", "fd00:7::1"},
		"tls on 443":     {"-p", "443", "-t", "-S", "-z", "100", "fd00:7::1"},
		"link-local udp": {"-p", "3478", "fe80::7%cable"}, "link-local tcp": {"-p", "3478", "-t", "fe80::7%cable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := func(c *exec.Cmd) *exec.Cmd { return h.On(1, c) }
			host := flags[len(flags)-1]
			if said := apptest.CoturnClientOn(client, c, host,
				append([]string{"-y", "-c"}, flags[:len(flags)-1]...)...); !apptest.EverythingArrived(said) {
				t.Error(said)
			}
		})
	}
}
