package turn

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
)

// TestCoturnsClients runs coturn's clients, which are independent implementations, as a matrix:
// their features work over every transport and both address families, and what the relay refuses by
// design is refused.
func TestCoturnsClients(t *testing.T) {
	apptest.Tool(t, "turnutils_uclient", "coturn")
	apptest.Tool(t, "turnutils_peer", "coturn")
	both := []string{
		"turn_udp: [127.0.0.1:0]", "turn_udp: ['127.0.0.1:0', '[::1]:0']", "turn_tcp: [127.0.0.1:0]",
		"turn_tcp: ['127.0.0.1:0', '[::1]:0']",
		"turn_tls: [127.0.0.1:0]", "turn_tls: ['127.0.0.1:0', '[::1]:0']",
	}
	// The paired relay, and the open relay with a peer outside. ::1 is one of the host's own
	// addresses, so it must be allowed explicitly.
	relays := map[string]*apptest.Listening{"paired": new(apptest.Listening), "open": new(apptest.Listening)}
	folders := map[string]string{}
	for name, where := range relays {
		file, folder := apptest.WriteConfig(t)
		apptest.Edit(t, file, both...)
		settings := "relay: {addresses: [127.0.0.1, '::1'], "
		if name == "open" {
			settings += "peers: open, ports: 52000-52999, allow: [127.0.0.2/32, '::1/128'], "
		}
		apptest.Edit(t, file, "relay: {", settings)
		folders[name] = folder
		apptest.Start(t, apptest.Program("serve", "--config", file), true, where.Read)
	}
	const peerPort = "34801"
	peer := exec.Command("turnutils_peer", "-p", peerPort, "-L", "127.0.0.2", "-L", "::1")
	if err := peer.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = peer.Process.Kill()
		_ = peer.Wait()
	})

	tls := []string{"-t", "-S", "-z", "100"} // if faster, it misses the second message of a TLS record
	transports := []struct {
		name    string
		address func(l *apptest.Listening, family int) string
		flags   []string
	}{
		{"udp", func(l *apptest.Listening, family int) string { return l.UDP[family] }, nil},
		{"tcp", func(l *apptest.Listening, family int) string { return l.TCP[family] }, []string{"-t"}},
		{"tls", func(l *apptest.Listening, family int) string { return l.TLS[family] }, tls},
		{"tls on the HTTPS port", func(l *apptest.Listening, _ int) string { return l.HTTPS[0] }, tls},
	}
	rows := []struct {
		name, relay string
		flags       []string
		refused     string // the client's words; empty if everything must arrive
	}{
		{"client to client", "paired", []string{"-y", "-c"}, ""},
		{"client to client, indications", "paired", []string{"-y", "-c", "-s"}, ""},
		{"client to client, IPv6 relayed", "paired", []string{"-y", "-c", "-x"}, ""},
		{"client to client", "open", []string{"-y", "-c"}, ""},
		{"to a peer", "open", []string{"-c", "-e", "127.0.0.2", "-r", peerPort}, ""},
		{"to a peer, indications", "open", []string{"-c", "-s", "-e", "127.0.0.2", "-r", peerPort}, ""},
		{"to a peer over IPv6", "open", []string{"-c", "-x", "-e", "::1", "-r", peerPort}, ""},
		{"to a peer outside", "paired", []string{"-c", "-e", "127.0.0.2", "-r", peerPort}, "channel bind: error 403"},
		{"to the host itself", "open", []string{"-c", "-e", "127.0.0.1", "-r", peerPort}, "channel bind: error 403"},
		{"TCP allocations", "paired", []string{"-y", "-c", "-T"}, "error 442"},
		{"a pair of ports for RTCP", "paired", []string{"-y"}, "error 508"},
		{"DONT-FRAGMENT", "paired", []string{"-y", "-c", "-g"}, "error 420"},
	}
	type cell struct{ row, transport, family int }
	var mu sync.Mutex
	cells := map[cell]string{}
	// They mostly wait.
	var running sync.WaitGroup
	slots := make(chan struct{}, 8)
	for i, row := range rows {
		for j, transport := range transports {
			for family := range 2 {
				switch secure := strings.HasPrefix(transport.name, "tls"); {
				case strings.HasPrefix(transport.name, "tls on") && (family == 1 || i > 0):
					continue // the listener is on 127.0.0.1, and the same after the handshake
				case secure && row.refused != "":
					continue // it repeats each refused request, with slow handshakes
				case transport.name == "udp" && slices.Contains(row.flags, "-T"):
					continue // it only requests these over TCP
				}
				c := apptest.DoctorCredential(t, folders[row.relay],
					fmt.Sprintf("appointment-%d-%d-%d", i, j, family))
				running.Go(func() {
					slots <- struct{}{}
					defer func() { <-slots }()
					out := apptest.CoturnClient(c, transport.address(relays[row.relay], family),
						append(row.flags, transport.flags...)...)
					result := "ok"
					switch {
					case row.refused != "" && strings.Contains(out, row.refused) &&
						!apptest.EverythingArrived(out):
						result = "refused"
					case row.refused != "" || !apptest.EverythingArrived(out):
						result = "WRONG"
						t.Errorf("%s, %s, %s over IPv%d: want %q:\n%s", row.relay, row.name,
							transport.name, 4+2*family, row.refused, out)
					}
					mu.Lock()
					defer mu.Unlock()
					cells[cell{i, j, family}] = result
				})
			}
		}
	}
	running.Wait()
	var table strings.Builder
	out := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprint(out, "turnutils_uclient")
	for _, transport := range transports {
		fmt.Fprintf(out, "\t%s 4\t%s 6", transport.name, transport.name)
	}
	for i, row := range rows {
		fmt.Fprintf(out, "\n%s, %s", row.relay, row.name)
		for j := range transports {
			fmt.Fprintf(out, "\t%s\t%s", cells[cell{i, j, 0}], cells[cell{i, j, 1}])
		}
	}
	fmt.Fprintln(out)
	out.Flush()
	t.Logf("\n%s", table.String())
}

// TestCoturnsClientOverDTLS checks that the client gets no handshake, since DTLS is not served, and
// that it works without DTLS.
func TestCoturnsClientOverDTLS(t *testing.T) {
	apptest.Tool(t, "turnutils_uclient", "coturn")
	info, _ := apptest.StartDemo(t)
	host, port, _ := net.SplitHostPort(info.TURNUDP)
	ask := func(limit time.Duration, flags ...string) string {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		args := append([]string{"-y", "-c", "-m", "1", "-n", "2", "-v", "-p", port, "-u",
			info.Doctor.Username, "-w", info.Doctor.Credential}, flags...)
		out, _ := exec.CommandContext(ctx, "turnutils_uclient", append(args, host)...).CombinedOutput()
		return string(out)
	}
	const allocates, all = "allocate sent", "tot_send_msgs=4, tot_recv_msgs=4"
	if out := ask(time.Minute); !strings.Contains(out, allocates) || !strings.Contains(out, all) {
		t.Errorf("plain UDP is not served:\n%s", out)
	}
	// It would retry forever; a few seconds are dozens of attempts.
	if out := ask(3*time.Second, "-S"); strings.Contains(out, allocates) || strings.Contains(out, all) {
		t.Errorf("DTLS is served:\n%s", out)
	}
}

// TestCoturnsDiscovery checks coturn's NAT discovery (RFC 5780) with two configured addresses, and
// its plain STUN client in any case.
func TestCoturnsDiscovery(t *testing.T) {
	t.Parallel()
	apptest.Tool(t, "turnutils_stunclient", "coturn")
	apptest.Tool(t, "turnutils_natdiscovery", "coturn")
	file, _ := apptest.WriteConfig(t)
	two := []string{apptest.FreePort(t), apptest.FreePort(t)}
	apptest.Edit(t, file, "turn_udp: [127.0.0.1:0]",
		fmt.Sprintf("turn_udp: ['127.0.0.1:%s', '127.0.0.1:%s', '127.0.0.2:%s', '127.0.0.2:%s', '[::1]:%s']",
			two[0], two[1], two[0], two[1], two[0]))
	apptest.Start(t, apptest.Program("serve", "--config", file), true, new(apptest.Listening).Read)
	ask := func(args ...string) string {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		out, _ := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
		return string(out)
	}
	for _, test := range []struct {
		args []string
		want []string
	}{
		{[]string{"turnutils_stunclient", "-p", two[0], "127.0.0.1"}, []string{"UDP reflexive addr: 127.0.0.1:"}},
		{[]string{"turnutils_stunclient", "-p", two[1], "127.0.0.1"}, []string{"UDP reflexive addr: 127.0.0.1:"}},
		{[]string{"turnutils_stunclient", "-p", two[0], "::1"}, []string{"UDP reflexive addr: ::1:"}},
		{[]string{"turnutils_natdiscovery", "-m", "-p", two[0], "127.0.0.1"}, []string{
			"RFC 5780 response 2", "Other addr: : 127.0.0.2:" + two[1],
			"NAT with Endpoint Independent Mapping!"}},
		{[]string{"turnutils_natdiscovery", "-f", "-p", two[0], "127.0.0.1"}, []string{
			"RFC 5780 response 2", "Response origin: : 127.0.0.2:" + two[1],
			"NAT with Endpoint Independent Filtering!"}},
		{[]string{"turnutils_natdiscovery", "-m", "-p", two[0], "::1"},
			[]string{"UDP reflexive addr: ::1:"}}, // no second address is configured
	} {
		out := ask(test.args...)
		for _, want := range test.want {
			if !strings.Contains(out, want) {
				t.Errorf("the output of %v lacks %q:\n%s", test.args, want, out)
			}
		}
		if test.args[len(test.args)-1] == "::1" && strings.Contains(out, "Other addr") {
			t.Errorf("%v: another address was reported:\n%s", test.args, out)
		}
	}
}
