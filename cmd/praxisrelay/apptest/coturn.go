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

// CoturnClient runs turnutils_uclient on this host and returns its output.
func CoturnClient(c credential.Credential, server string, flags ...string) string {
	host, port, _ := net.SplitHostPort(server)
	return CoturnClientOn(func(c *exec.Cmd) *exec.Cmd { return c }, c, host,
		append([]string{"-p", port}, flags...)...)
}

// CoturnClientOn runs turnutils_uclient on a host and returns its output.
//
// Over TLS it is run up to three times until everything arrives: it reads one record whenever its
// socket has data, so the last of several records that arrive together is never read.
func CoturnClientOn(on func(*exec.Cmd) *exec.Cmd, c credential.Credential, host string,
	flags ...string) (said string) {
	args := append([]string{"-m", "2", "-n", "20", "-l", "200", "-u", c.Username, "-w", c.Password}, flags...)
	for range 3 {
		// Without an answer it waits forever.
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Second)
		out, err := on(exec.CommandContext(ctx, "turnutils_uclient", append(args, host)...)).CombinedOutput()
		cancel()
		said = fmt.Sprintf("%s\n%v", out, err)
		if EverythingArrived(said) || !slices.Contains(flags, "-S") {
			break
		}
	}
	return said
}

// EverythingArrived reports whether turnutils_uclient got all of its packets back. Its exit status
// says nothing about that.
func EverythingArrived(out string) bool {
	return strings.Contains(out, "Total lost packets 0 (0.000000%)") &&
		strings.Contains(out, "tot_send_msgs=40, tot_recv_msgs=40")
}
