package apptest

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
)

// Hosts are two network namespaces with a cable between them.
type Hosts [2]string

var madeHosts atomic.Int64

// NewHosts creates two hosts with the given addresses and prefix lengths, and nothing else.
func NewHosts(t *testing.T, addresses [2]string) Hosts {
	t.Helper()
	ip := Tool(t, "ip", "iproute2")
	if os.Geteuid() != 0 {
		Skip(t, "only root makes network namespaces: run the tests as root")
	}
	run := func(args ...string) {
		t.Helper()
		if out, err := exec.Command(ip, args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
		}
	}
	n := madeHosts.Add(1) // tests run in parallel
	h := Hosts{fmt.Sprintf("praxis%d-%da", os.Getpid(), n), fmt.Sprintf("praxis%d-%db", os.Getpid(), n)}
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

// On makes a command run on a host.
func (h Hosts) On(i int, c *exec.Cmd) *exec.Cmd {
	c.Args = append([]string{"ip", "netns", "exec", h[i], c.Path}, c.Args[1:]...)
	c.Path, _ = exec.LookPath("ip")
	return c
}
