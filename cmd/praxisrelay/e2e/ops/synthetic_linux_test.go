package ops

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/signal/admin/adminclient"
)

// gateway is a router with the public address of the appliance behind it. It lets the appliance
// reach itself through that address.
type gateway struct {
	*testing.T
	hosts  apptest.Hosts // the appliance's host, and the gateway
	admin  *adminclient.Client
	status string // the latest status
}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{T: t, hosts: apptest.NewHosts(t, [2]string{"10.78.0.2/24", "10.78.0.1/24"})}
	apptest.Tool(t, "nft", "nftables")
	server, router := g.hosts[0], g.hosts[1]
	for _, line := range []string{
		"-n " + server + " link set lo up",
		"-n " + server + " address add fd00:78::2/64 dev cable nodad",
		"-n " + server + " route add default via 10.78.0.1",
		"-n " + router + " link set lo up",
		"-n " + router + " address add 203.0.113.1/32 dev lo",
		"netns exec " + router + " sysctl -qw net.ipv4.ip_forward=1",
	} {
		g.run(exec.Command("ip", strings.Fields(line)...))
	}
	folder := filepath.Join("/etc/netns", server)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	apptest.WriteFile(t, filepath.Join(folder, "hosts"),
		"203.0.113.1 "+apptest.ApplianceName+"\nfd00:78::2 "+apptest.ApplianceName+"\n", 0o644)
	g.rules("", "")
	return g
}

func (g *gateway) run(c *exec.Cmd) {
	g.Helper()
	if out, err := c.CombinedOutput(); err != nil {
		g.Fatalf("%v: %v: %s", c.Args, err, out)
	}
}

// rules makes the gateway divert and drop these packets, and no others.
func (g *gateway) rules(divert, drop string) {
	g.Helper()
	c := g.hosts.On(1, exec.Command("nft", "-f", "-"))
	c.Stdin = strings.NewReader(fmt.Sprintf(`
table ip gateway
delete table ip gateway
table ip gateway {
  chain in { type nat hook prerouting priority -100; %s
    ip daddr 203.0.113.1 dnat to 10.78.0.2
  }
  chain out { type nat hook postrouting priority 100; ip daddr 10.78.0.2 masquerade
  }
  chain through { type filter hook forward priority 0; %s
  }
}`, divert, drop))
	g.run(c)
}

// until waits until these are the latest calls, in the order of their ways, IPv4 first.
func (g *gateway) until(want string) {
	g.Helper()
	pattern := regexp.MustCompile("^" + want + "$")
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-again.C {
		s, err := g.admin.Status(g.Context())
		if err != nil {
			g.Fatal(err)
		}
		var calls []string
		for _, call := range s.Synthetic {
			if call.Error == "" && call.RTT <= 0 {
				g.Errorf("%+v took no time", call)
			}
			calls = append(calls, fmt.Sprintf("%s %d/%s %q", call.Family, call.Port, call.Transport,
				call.Error))
		}
		if g.status = strings.Join(calls, "; "); pattern.MatchString(g.status) {
			return
		}
		if time.Now().After(deadline) {
			g.Fatalf("%s\nwant %s", g.status, want)
		}
	}
}

// TestSyntheticCalls checks that the appliance itself notices obstacles in front of it (a closed
// port, somebody else's certificate, loss) and when they are gone.
func TestSyntheticCalls(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	_, own := apptest.IssueFrom(t, "Example Authority") // this host need not trust it
	file, folder := apptest.WriteConfig(t)
	apptest.WriteFile(t, filepath.Join(folder, "cert.pem"), own.Certificate, 0o600)
	apptest.WriteFile(t, filepath.Join(folder, "key.pem"), own.Key, 0o600)
	apptest.Edit(t, file, "name: 127.0.0.1", "name: "+apptest.ApplianceName, "https: 127.0.0.1:0",
		"https: ':443'", "turn_udp: [127.0.0.1:0]", "turn_udp: [':3478']",
		"turn_tcp: [127.0.0.1:0]", "turn_tcp: [':3478']", "turn_tls: [127.0.0.1:0]", "turn_tls: []",
		"relay: {", "relay: {public_address: 203.0.113.1, ", "{listen: 127.0.0.1:0}",
		"{listen: 127.0.0.1:9478, synthetic_calls: 10s}")
	d := apptest.Start(t, g.hosts.On(0, apptest.Program("serve", "--config", file)), true, apptest.IsServing)
	socket := filepath.Join(folder, "admin.sock")
	g.admin = adminclient.New(socket)
	const six = `; IPv6 3478/udp ""; IPv6 3478/tcp ""; IPv6 443/tls ""`
	g.until(`IPv4 3478/udp ""; IPv4 3478/tcp ""; IPv4 443/tls ""` + six)

	_, forged := apptest.IssueFrom(t, "Somebody Else")
	g.serveTLS(":9443", forged)
	g.rules("ip daddr 203.0.113.1 tcp dport 443 redirect to :9443", "udp dport 3478 drop")
	g.until(`IPv4 3478/udp "[^"]*(timeout|deadline)[^"]*"; IPv4 3478/tcp ""; IPv4 443/tls "[^"]*issued by CN=Somebody Else[^"]*"` + six)
	metrics := g.scrape()
	for _, want := range []string{
		`praxisrelay_synthetic_call_success{family="ipv4",port="3478",transport="udp"} 0`,
		`praxisrelay_synthetic_call_success{family="ipv4",port="3478",transport="tcp"} 1`,
		`praxisrelay_synthetic_call_success{family="ipv6",port="443",transport="tls"} 1`,
		`praxisrelay_synthetic_call_packets_total{family="ipv6",port="3478",result="lost",transport="udp"} 0`,
	} {
		if !strings.Contains(metrics, want+"\n") {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if strings.Contains(metrics,
		`praxisrelay_synthetic_call_round_trip_seconds{family="ipv4",port="3478",transport="udp"}`) {
		t.Error("a failed call has a round trip")
	}
	out, _, err := apptest.Run(t, "status", "--check", "--socket", socket)
	if fmt.Sprint(err) != "exit status 1" ||
		!strings.Contains(out, "calls through the public name fail: 3478/udp IPv4 443/tls IPv4") {
		t.Errorf("%v: %s", err, out)
	}

	g.rules("", "udp dport 3478 numgen random mod 100 < 20 drop")
	g.until(`IPv4 3478/udp ""; IPv4 3478/tcp ""; IPv4 443/tls ""` + six)
	lost := g.packets("lost", g.scrape())
	// two rounds of packets, one with loss
	if received := g.packets("received", g.scrape()); lost < 5 || received < 150 {
		t.Errorf("%v packets were lost and %v received", lost, received)
	}

	// While the relay has to refuse calls, none are placed, so none can fail.
	if _, stderr, err := apptest.Run(t, "drain", "--socket", socket); err != nil {
		t.Fatal(stderr)
	}
	g.until("")
	if strings.Contains(g.scrape(), "praxisrelay_synthetic_call_") {
		t.Error("there are results of calls that were not placed")
	}
	if _, stderr, err := apptest.Run(t, "drain", "--cancel", "--socket", socket); err != nil {
		t.Fatal(stderr)
	}
	g.rules("", "")
	g.until(`IPv4 3478/udp ""; IPv4 3478/tcp ""; IPv4 443/tls ""` + six)

	// The calls do not count as calls of people.
	if metrics := g.scrape(); !strings.Contains(metrics,
		`praxisrelay_relay_allocations_granted_total{transport="udp"} 0`+"\n") {
		t.Error("the appliance's calls to itself count as calls of people")
	}
	d.Stop(t)
	log := d.Stderr.String()
	for line, want := range map[string]int{
		`level=WARN msg="a call through the public name fails" way=3478/UDP family=IPv4 reason=silence `:            1,
		`level=WARN msg="a call through the public name fails" way="443/TCP (TLS)" family=IPv4 reason=intercepted `: 1,
		`level=INFO msg="calls through the public name arrive again" way=3478/UDP family=IPv4`:                      1,
		`family=IPv6`: 0,
	} {
		if got := strings.Count(log, line); got != want {
			t.Errorf("%d times %s, want %d\n%s", got, line, want, log)
		}
	}
}

// serveTLS serves a certificate on the gateway, and nothing else.
func (g *gateway) serveTLS(address string, certificate apptest.Issued) {
	g.Helper()
	pair, err := tls.X509KeyPair([]byte(certificate.Certificate), []byte(certificate.Key))
	if err != nil {
		g.Fatal(err)
	}
	listener, err := apptest.OnHost(g.hosts[1], func() (net.Listener, error) {
		return net.Listen("tcp", address)
	})
	if err != nil {
		g.Fatal(err)
	}
	apptest.AcceptEach(g.T, tls.NewListener(listener,
		&tls.Config{Certificates: []tls.Certificate{pair}}), func(conn net.Conn) {
		go func() {
			_, _ = conn.Read(make([]byte, 1))
			conn.Close()
		}()
	})
}

// scrape reads the metrics on the appliance's host.
func (g *gateway) scrape() string {
	g.Helper()
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return apptest.DialOn(g.hosts[0], "127.0.0.1:9478")
	}}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Get("http://127.0.0.1:9478/metrics")
	if err != nil {
		g.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		g.Fatal(err)
	}
	return string(text)
}

// packets is the value of a packet metric for UDP over IPv4.
func (g *gateway) packets(result, metrics string) float64 {
	g.Helper()
	_, rest, ok := strings.Cut(metrics,
		`praxisrelay_synthetic_call_packets_total{family="ipv4",port="3478",result="`+result+
			`",transport="udp"} `)
	text, _, _ := strings.Cut(rest, "\n")
	count, err := strconv.ParseFloat(text, 64)
	if !ok || err != nil {
		g.Fatalf("%s: %v", text, err)
	}
	return count
}
