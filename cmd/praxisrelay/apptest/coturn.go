package apptest

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"time"

	"praxisrelay/relay/credential"
)

// CoturnsClient runs turnutils_uclient and returns what it says.
func CoturnsClient(c credential.Credential, server string, flags ...string) string {
	host, port, _ := net.SplitHostPort(server)
	return Uclient(func(c *exec.Cmd) *exec.Cmd { return c }, c, host, append([]string{"-p", port}, flags...)...)
}

// Uclient runs turnutils_uclient on a host and returns what it says.
//
// Over TLS it runs up to three times until everything arrives: it reads one record whenever
// its socket has something, so the last of several that came together is never read.
func Uclient(on func(*exec.Cmd) *exec.Cmd, c credential.Credential, host string, flags ...string) (said string) {
	args := append([]string{"-m", "2", "-n", "20", "-l", "200", "-u", c.Username, "-w", c.Password}, flags...)
	for range 3 {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Second) // without an answer it waits for ever
		out, err := on(exec.CommandContext(ctx, "turnutils_uclient", append(args, host)...)).CombinedOutput()
		cancel()
		said = fmt.Sprintf("%s\n%v", out, err)
		if EverythingArrived(said) || !slices.Contains(flags, "-S") {
			break
		}
	}
	return said
}

// Its verdict is in what it prints; its exit status says nothing.
func EverythingArrived(out string) bool {
	return strings.Contains(out, "Total lost packets 0 (0.000000%)") && strings.Contains(out, "tot_send_msgs=40, tot_recv_msgs=40")
}
