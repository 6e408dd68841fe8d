package ops

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/stun/v3"
	"github.com/pion/turn/v4"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/config/firewall"
	"praxisrelay/config/lang"
	"praxisrelay/relay/credential"
)

// loaders load a rule set on the appliance's host as its first lines say, in place of the previous
// one.
var loaders = map[string]func(t *testing.T, h apptest.Hosts, file string){
	"nftables": func(t *testing.T, h apptest.Hosts, file string) {
		onGuarded(t, h, apptest.Tool(t, "nft", "nftables"), "-f", file)
	},
	"iptables": func(t *testing.T, h apptest.Hosts, file string) {
		apptest.Tool(t, "iptables", "iptables")
		script := regexp.MustCompile(`(?s)for f in.*done`).FindString(readFile(t, file))
		onGuarded(t, h, "sh", "-ec", strings.NewReplacer("\n#", "\n", "FILE", file).Replace(script))
	},
	"ufw": func(t *testing.T, h apptest.Hosts, file string) {
		apptest.Tool(t, "ufw", "ufw")
		settings := filepath.Join(t.TempDir(), "ufw")
		if out, err := exec.Command("cp", "-a", "/etc/ufw", settings).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		// Only in the mount namespace that `ip netns exec` creates.
		script := "mount --bind " + settings + " /etc/ufw\nufw --force disable\ncp " + file +
			" /etc/ufw/applications.d/praxisrelay\n" +
			"ufw allow praxisrelay\nufw allow from " + apptest.Outside[0] +
			" to any app praxisrelay-management\n" +
			"ufw default deny outgoing\n"
		for _, line := range regexp.MustCompile(`(?m)^# (ufw allow out .*)$`).FindAllStringSubmatch(readFile(t, file), -1) {
			script += line[1] + "\n"
		}
		onGuarded(t, h, "sh", "-ec", script+"ufw --force enable")
	},
}

func onGuarded(t *testing.T, h apptest.Hosts, program string, args ...string) string {
	t.Helper()
	out, err := h.On(0, exec.Command(program, args...)).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
	return string(out)
}

func readFile(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// load loads a plan's rule set without one of its rows.
func load(t *testing.T, h apptest.Hosts, plan firewall.Plan, format, without string) {
	t.Helper()
	all := len(plan.Rows)
	plan.Rows = slices.DeleteFunc(slices.Clone(plan.Rows), func(r firewall.Row) bool {
		return r.ID == without
	})
	if without != "" && len(plan.Rows) != all-1 {
		t.Fatalf("%q is not a row", without)
	}
	var text strings.Builder
	if err := plan.Write(&text, format, lang.English); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rules")
	apptest.WriteFile(t, file, text.String(), 0o600)
	loaders[format](t, h, file)
}

// listenOn accepts connections on a host until the test ends.
func listenOn(t *testing.T, host, address string) {
	t.Helper()
	listener, err := apptest.OnHost(host, func() (net.Listener, error) { return net.Listen("tcp", address) })
	if err != nil {
		t.Fatal(err)
	}
	apptest.AcceptEach(t, listener, func(conn net.Conn) { conn.Close() })
}

// How long an open port may take to answer on a busy machine, and how long to wait for a closed
// one.
const (
	openTime   = 10 * time.Second
	closedTime = time.Second
)

// opens reports whether a connection to a host can be made or, over UDP, whether the relay answers.
func opens(host, network, address string, patience time.Duration) bool {
	conn, err := apptest.OnHost(host, func() (net.Conn, error) {
		return net.DialTimeout(network, address, patience)
	})
	if err != nil {
		return false
	}
	defer conn.Close()
	if network != "udp" {
		return true
	}
	if _, err := conn.Write(stun.MustBuild(stun.TransactionID, stun.BindingRequest,
		stun.Fingerprint).Raw); err != nil {
		return false
	}
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	_, err = conn.Read(make([]byte, 1500))
	return err == nil
}

// The listeners of Guard's appliance, by their rows, with coturn's flags for a call.
var (
	guardedWays = []struct{ id, network, port string }{
		{"in-https", "tcp", "443"}, {"in-turn-udp-3478", "udp", "3478"},
		{"in-turn-tcp-3478", "tcp", "3478"}, {"in-turn-tls-5349", "tcp", "5349"},
	}
	callFlags = [][]string{{"-p", "3478"}, {"-p", "3478", "-t"},
		{"-p", "5349", "-t", "-S", "-z", "100"}, {"-p", "443", "-t", "-S", "-z", "100"}}
)

// callOver makes a call from the clients' host.
func callOver(t *testing.T, h apptest.Hosts, c credential.Credential, server string, flags []string) {
	t.Helper()
	apptest.Tool(t, "turnutils_uclient", "coturn")
	client := func(c *exec.Cmd) *exec.Cmd { return h.On(1, c) }
	if said := apptest.CoturnClientOn(client, c, server,
		append([]string{"-y", "-c"}, flags...)...); !apptest.EverythingArrived(said) {
		t.Errorf("a call over %v to %s: %s", flags, server, said)
	}
}

// TestRuleSetsLetCallsThrough loads the server's rule set on its host. Calls pass over every
// transport and address family, everything else is closed in both directions, and without its row a
// transport is closed while the others are not.
func TestRuleSetsLetCallsThrough(t *testing.T) {
	t.Parallel()
	for format := range loaders {
		t.Run(format, func(t *testing.T) {
			h, folder, plan := apptest.Guard(t)
			for _, port := range []string{"22", "8080"} {
				listenOn(t, h[0], ":"+port)
			}
			for _, port := range []string{"53", "8081"} {
				listenOn(t, h[1], ":"+port)
			}
			var running sync.WaitGroup
			check := func(host, network, address string, want bool) {
				running.Go(func() {
					patience := map[bool]time.Duration{true: openTime, false: closedTime}[want]
					if got := opens(host, network, address, patience); got != want {
						t.Errorf("%s %s from %s: open is %v, want %v", network, address, host, got, want)
					}
				})
			}
			for i, server := range apptest.Guarded {
				check(h[1], "tcp", net.JoinHostPort(server, "8080"), true)
				check(h[0], "tcp", net.JoinHostPort(apptest.Outside[i], "8081"), true)
			}
			running.Wait()

			load(t, h, plan, format, "")
			for i, server := range apptest.Guarded {
				for _, way := range guardedWays {
					check(h[1], way.network, net.JoinHostPort(server, way.port), true)
				}
				check(h[1], "tcp", net.JoinHostPort(server, "8080"), false)
				check(h[1], "tcp", net.JoinHostPort(server, "22"), i == 0) // the management network is IPv4
				check(h[0], "tcp", net.JoinHostPort(apptest.Outside[i], "53"), true)
				check(h[0], "tcp", net.JoinHostPort(apptest.Outside[i], "8081"), false)
			}
			for i, server := range apptest.Guarded {
				for j := range callFlags {
					credential := apptest.DoctorCredential(t, folder, fmt.Sprintf("a-%d-%d", i, j))
					running.Go(func() { callOver(t, h, credential, server, callFlags[j]) })
				}
			}
			running.Wait()

			for _, out := range guardedWays {
				load(t, h, plan, format, out.id)
				for _, way := range guardedWays {
					check(h[1], way.network, net.JoinHostPort(apptest.Guarded[0], way.port), way != out)
				}
				running.Wait()
			}
			load(t, h, plan, format, "out-dns-tcp")
			check(h[0], "tcp", net.JoinHostPort(apptest.Outside[0], "53"), false)
			running.Wait()
		})
	}
}

// TestRuleSetsOfTheOpenRelay checks that media passes to a peer, and from a peer that sends first,
// unless its row is left out.
func TestRuleSetsOfTheOpenRelay(t *testing.T) {
	t.Parallel()
	for format := range loaders {
		t.Run(format, func(t *testing.T) {
			h, folder, plan := apptest.Guard(t, "relay: {",
				"relay: {peers: open, allow: ["+apptest.Outside[0]+"/32], addresses: ["+
					apptest.Guarded[0]+"], ")
			credential := apptest.DoctorCredential(t, folder, "a")
			for without, want := range map[string]struct{ out, in bool }{
				"": {true, true}, "in-relayed": {true, false}, "out-relayed": {false, true},
			} {
				load(t, h, plan, format, without)
				out, in := exchange(t, h[1], turn.ClientConfig{
					TURNServerAddr: apptest.Guarded[0] + ":3478", Username: credential.Username,
					Password: credential.Password, Realm: "praxisrelay",
				}, want.out, want.in)
				if out != want.out || in != want.in {
					t.Errorf("without %q: media goes out %v, comes in %v; want %v, %v", without, out,
						in, want.out, want.in)
				}
			}
		})
	}
}

// exchange makes an allocation, sends to a peer and lets another peer send to it, and reports what
// arrives.
func exchange(t *testing.T, host string, c turn.ClientConfig, wantOut, wantIn bool) (out, in bool) {
	t.Helper()
	socket := func() net.PacketConn {
		conn, err := apptest.OnHost(host, func() (net.PacketConn, error) {
			return net.ListenPacket("udp4", apptest.Outside[0]+":0")
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	c.Conn, c.RTO = socket(), time.Second
	client, err := turn.NewClient(&c)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Listen(); err != nil {
		t.Fatal(err)
	}
	relayed, err := client.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	defer relayed.Close()
	arrives := func(at, from net.PacketConn, to net.Addr, want bool) bool {
		if _, err := from.WriteTo([]byte("media"), to); err != nil {
			t.Fatal(err)
		}
		patience := map[bool]time.Duration{true: openTime, false: closedTime}[want]
		_ = at.SetReadDeadline(time.Now().Add(patience))
		_, _, err := at.ReadFrom(make([]byte, 100))
		return err == nil
	}
	peer, caller := socket(), socket()
	// The permission is by address, so it also covers the other peer.
	out = arrives(peer, relayed, peer.LocalAddr(), wantOut)
	in = arrives(relayed, caller, relayed.LocalAddr(), wantIn)
	return out, in
}

// TestRuleSetsLeaveOthersAlone checks that other rules in the kernel stay, and that loading twice
// does no harm.
func TestRuleSetsLeaveOthersAlone(t *testing.T) {
	t.Parallel()
	h, _, plan := apptest.Guard(t)
	nft := apptest.Tool(t, "nft", "nftables")
	onGuarded(t, h, nft, "add table inet other")
	load(t, h, plan, "nftables", "")
	once := onGuarded(t, h, nft, "list ruleset")
	load(t, h, plan, "nftables", "")
	if twice := onGuarded(t, h, nft, "list ruleset"); twice != once ||
		!strings.Contains(once, "table inet other") {
		t.Errorf("once:\n%s\ntwice:\n%s", once, twice)
	}
	onGuarded(t, h, nft, "delete table inet praxisrelay")

	for _, f := range []string{"iptables", "ip6tables"} {
		onGuarded(t, h, f, "-A", "INPUT", "-p", "tcp", "--dport", "9", "-j", "DROP")
	}
	load(t, h, plan, "iptables", "")
	for _, f := range []string{"iptables", "ip6tables"} {
		once := onGuarded(t, h, f, "-S")
		load(t, h, plan, "iptables", "")
		if twice := onGuarded(t, h, f, "-S"); twice != once || !strings.Contains(once, "--dport 9 -j DROP") {
			t.Errorf("%s once:\n%s\ntwice:\n%s", f, once, twice)
		}
	}
}
