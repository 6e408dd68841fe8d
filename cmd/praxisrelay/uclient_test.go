package main

import (
	"context"
	"encoding/json"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestCoturnsClientThroughTheRelay runs a real TURN client that nobody here wrote,
// client to client, with the credentials that `praxisrelay ice` prints.
func TestCoturnsClientThroughTheRelay(t *testing.T) {
	uclient := tool(t, "turnutils_uclient", "coturn")
	info, _ := startDemo(t)
	stdout, stderr, err := run(t, "ice", info.Doctor.Code, "--server", info.URL, "--insecure", "--json")
	if err != nil {
		t.Fatal(stderr)
	}
	var ice iceJSON
	if err := json.Unmarshal([]byte(stdout), &ice); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, address string
		flags         []string
	}{
		{"udp", info.TURNUDP, nil},
		{"tcp", info.TURNTCP, []string{"-t"}},
		{"tls", info.TURNTLS, []string{"-t", "-S", "-z", "100"}},
		{"tls on the HTTPS port", info.HTTPS, []string{"-t", "-S", "-z", "100"}},
		{"indications over udp", info.TURNUDP, []string{"-s"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			host, port, err := net.SplitHostPort(test.address)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			server := ice.ICEServers[0]
			args := append([]string{"-y", "-c", "-m", "2", "-n", "20", "-l", "200", "-p", port,
				"-u", server.Username, "-w", server.Credential}, test.flags...)
			out, err := exec.CommandContext(ctx, uclient, append(args, host)...).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "Total lost packets 0 (0.000000%)") {
				t.Errorf("%v, not everything arrived:\n%s", err, out)
			}
			if !strings.Contains(string(out), "tot_send_msgs=40, tot_recv_msgs=40") {
				t.Errorf("the client says nothing of 40 messages:\n%s", out)
			}
		})
	}
}
