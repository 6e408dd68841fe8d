package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
)

// hosts are network namespaces with one cable between them.
type hosts [2]string

var madeHosts atomic.Int64

// newHosts makes two hosts with the given addresses and lengths, and nothing else.
func newHosts(t *testing.T, addresses [2]string) hosts {
	t.Helper()
	ip := tool(t, "ip", "iproute2")
	if os.Geteuid() != 0 {
		skip(t, "only root makes network namespaces: run the tests as root")
	}
	run := func(args ...string) {
		t.Helper()
		if out, err := exec.Command(ip, args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
		}
	}
	n := madeHosts.Add(1) // tests run side by side
	h := hosts{fmt.Sprintf("praxis%d-%da", os.Getpid(), n), fmt.Sprintf("praxis%d-%db", os.Getpid(), n)}
	for _, name := range h {
		run("netns", "add", name)
		t.Cleanup(func() { _ = exec.Command(ip, "netns", "delete", name).Run() })
	}
	run("link", "add", "cable", "netns", h[0], "type", "veth", "peer", "name", "cable", "netns", h[1])
	for i, name := range h {
		run("-netns", name, "address", "add", addresses[i], "dev", "cable", "nodad")
		run("-netns", name, "link", "set", "cable", "up")
	}
	return h
}

// on makes a command run on a host.
func (h hosts) on(i int, c *exec.Cmd) *exec.Cmd {
	c.Args = append([]string{"ip", "netns", "exec", h[i], c.Path}, c.Args[1:]...)
	c.Path, _ = exec.LookPath("ip")
	return c
}

// TestIPv6OnlyHost: an appliance without any IPv4 address serves clients that ask for
// nothing special, which means an IPv4 relayed address, over every transport, also those
// that come from a link-local address.
func TestIPv6OnlyHost(t *testing.T) {
	tool(t, "turnutils_uclient", "coturn")
	h := newHosts(t, [2]string{"fd00:7::1/64", "fd00:7::2/64"})
	file, folder := writeConfig(t)
	// The certificate is for another name, which coturn's client does not mind.
	edit(t, file, "https: 127.0.0.1:0", "https: ':443'", "turn_udp: [127.0.0.1:0]", "turn_udp: [':3478', ':443']",
		"turn_tcp: [127.0.0.1:0]", "turn_tcp: [':3478']", "turn_tls: [127.0.0.1:0]", "turn_tls: [':5349']")
	start(t, h.on(0, program("serve", "--config", file)), true, func(line string) bool { return strings.Contains(line, "msg=serving") })

	for i, address := range []string{"fe80::7/64", "fe80::8/64"} { // the kernel's own need a second to settle
		c := h.on(i, exec.Command("ip", "address", "add", address, "dev", "cable", "nodad"))
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	c := minted(t, folder, "a")
	for name, flags := range map[string][]string{
		"udp": {"-p", "3478", "fd00:7::1"}, "udp on 443": {"-p", "443", "fd00:7::1"}, "tcp": {"-p", "3478", "-t", "fd00:7::1"},
		"tls": {"-p", "5349", "-t", "-S", "-z", "100", "fd00:7::1"}, "tls on 443": {"-p", "443", "-t", "-S", "-z", "100", "fd00:7::1"},
		"link-local udp": {"-p", "3478", "fe80::7%cable"}, "link-local tcp": {"-p", "3478", "-t", "fe80::7%cable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := func(c *exec.Cmd) *exec.Cmd { return h.on(1, c) }
			host := flags[len(flags)-1]
			if said := uclient(client, c, host, append([]string{"-y", "-c"}, flags[:len(flags)-1]...)...); !everythingArrived(said) {
				t.Error(said)
			}
		})
	}
}
