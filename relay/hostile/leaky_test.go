package hostile

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/stun/v3"
	"github.com/pion/turn/v4"

	"praxisrelay/relay/check"
)

// asLeaky makes the test binary a leaky server: pion's, with every peer permitted. It is its own
// process because some attacks make it spin forever.
const asLeaky = "PRAXISRELAY_TEST_AS_LEAKY"

func TestMain(m *testing.M) {
	if os.Getenv(asLeaky) != "" {
		if err := leak(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// leakyPorts are the ports of the leaky server.
type leakyPorts struct{ UDP, TCP uint16 }

var testSeats = [2]Seat{
	{"4000000000:one.test", "the password of one"}, {"4000000000:two.test", "the password of two"},
}

// leak serves until its standard input is closed.
func leak() error {
	packets, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	streams, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	relayed := &turn.RelayAddressGeneratorStatic{RelayAddress: net.IPv4(127, 0, 0, 1), Address: "127.0.0.1"}
	everybody := func(net.Addr, net.IP) bool { return true }
	_, err = turn.NewServer(turn.ServerConfig{
		Realm: "leaky",
		AuthHandler: func(username, realm string, _ net.Addr) ([]byte, bool) {
			for _, seat := range testSeats {
				if seat.Username == username {
					return turn.GenerateAuthKey(username, realm, seat.Password), true
				}
			}
			return nil, false
		},
		LoggerFactory: quiet,
		PacketConnConfigs: []turn.PacketConnConfig{
			{PacketConn: packets, RelayAddressGenerator: relayed, PermissionHandler: everybody},
		},
		ListenerConfigs: []turn.ListenerConfig{
			{Listener: streams, RelayAddressGenerator: relayed, PermissionHandler: everybody},
		},
	})
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(leakyPorts{
		uint16(packets.LocalAddr().(*net.UDPAddr).Port), uint16(streams.Addr().(*net.TCPAddr).Port),
	}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// startLeaky starts the leaky server and kills it when the test ends.
func startLeaky(t *testing.T) (ports leakyPorts) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env, c.Stderr = append(os.Environ(), asLeaky+"=1"), os.Stderr
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); _ = c.Process.Kill(); _ = c.Wait() })
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &ports)
	}
	if err != nil {
		t.Fatal(err)
	}
	return ports
}

// TestALeakyServerIsFound: everything that pion's server wrongly accepts or lets out is reported,
// and nothing that it refuses.
func TestALeakyServerIsFound(t *testing.T) {
	ports := startLeaky(t)
	web := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/open":
		case "/judged": // judges the body, not the client
			http.Error(w, "no JSON", http.StatusBadRequest)
		default:
			http.Error(w, "who are you?", http.StatusUnauthorized)
		}
	}))
	defer web.Close()
	udp := check.Way{Transport: check.UDP, Port: ports.UDP}
	tcp := check.Way{Transport: check.TCP, Port: ports.TCP}
	target := Target{
		Addr: netip.MustParseAddr("127.0.0.1"), HTTPS: 443, TLS: &tls.Config{InsecureSkipVerify: true},
		Ways: []check.Way{udp, tcp}, Seats: testSeats, Paired: true,
		Own: []netip.Addr{netip.MustParseAddr("127.0.0.1")},
		Web: []Page{{Name: "443/TCP", URL: web.URL, Client: web.Client(), Requests: []Ask{
			{http.MethodGet, "/open"}, {http.MethodPost, "/judged"}, {http.MethodDelete, "/closed"},
		}}},
		Revoke: func(context.Context) error { return nil },
	}
	target.times = times{time.Second, []time.Duration{300 * time.Millisecond, 700 * time.Millisecond},
		2 * time.Second}
	report, err := target.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, try := range report.Untried {
		t.Errorf("not tried: %s %v: %s", try.Name, try.Way, try.Answer)
	}
	found := map[string]string{} // way and attack without the sink's port -> answer
	port := regexp.MustCompile(`:\d+$`)
	for _, try := range report.Accepted {
		where := ""
		if try.Way != nil {
			where = string(try.Way.Transport)
		}
		found[where+" "+port.ReplaceAllString(try.Name, "")] = try.Answer
	}
	for _, transport := range []string{"udp", "tcp"} {
		for name, want := range map[string]string{
			"CreatePermission for 10.0.0.0":          "success",
			"ChannelBind to 169.254.169.254":         "success",
			"CreatePermission for 9.9.9.9":           "success",
			"CreatePermission for [::ffff:10.0.0.1]": "success",
			"CreatePermission for [64:ff9b::7f00:1]": "success",
			"Send to 127.0.0.1":                      "it arrived", "ChannelData to [::ffff:127.0.0.1]": "it arrived", "Send to 0.0.0.0": "it arrived",
			"Send without a permission":                                  "",
			"Send to another appointment's relayed address":              "",
			"ChannelBind for another appointment's relayed address":      "success",
			"Allocate with a wrong password":                             "",
			"Allocate with a made-up nonce":                              "",
			"CreatePermission without a credential":                      "",
			"Allocate with another realm":                                "success",
			"another user's Refresh":                                     "success",
			"another user's CreatePermission":                            "success",
			"an allocation's end by another user's Refresh":              "its Refresh gets no answer",
			"an allocation's end by another user's ChannelBind":          "",
			"XOR-PEER-ADDRESS behind MESSAGE-INTEGRITY":                  "success",
			"an allocation's end by a LIFETIME behind MESSAGE-INTEGRITY": "its Refresh gets no answer",
			"the channel number 0x0":                                     "success",
			"the channel number 0x8000":                                  "",
			"a second Allocate on one 5-tuple":                           "",
			"Refresh with an unknown attribute":                          "success",
			"Allocate for TCP":                                           "success",
			"Allocate that reserves a port":                              "success",
			"Allocate with a RESERVATION-TOKEN":                          "success",
			"Allocate of an unheard-of address family":                   "success",
			"Allocate with a revoked credential":                         "success", // nothing was revoked
		} {
			if got := found[transport+" "+name]; got != want {
				t.Errorf("%s: %s: accepted with %q, want %q", transport, name, got, want)
			}
		}
	}
	const held = "the connection is held, without an answer"
	for name, want := range map[string]string{
		"tcp a ChannelData length that wraps in 16 bits": held, "tcp a frame of 64 KB": held, "tcp half a message": held,
		"tcp a message of 2 KB, a byte at a time": held, "tcp a wrong magic cookie": "",
		"udp amplification by Allocate without a credential": "x1.71",
		" GET /open at 443/TCP":                              "HTTP 200",
		" POST /judged at 443/TCP":                           "HTTP 400",
		" DELETE /closed at 443/TCP":                         "",
	} {
		if got := found[name]; got != want {
			t.Errorf("%s: accepted with %q, want %q", name, got, want)
		}
	}
	for _, count := range report.Counts {
		if count.Refused == 0 || count.Accepted == 0 || count.Tried != count.Refused+count.Accepted {
			t.Errorf("%+v", count)
		}
	}
}

// TestAStrangerIsNotAttacked: if the credential makes no allocation, nothing else is sent, and the
// report claims nothing.
func TestAStrangerIsNotAttacked(t *testing.T) {
	stranger, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var seen []stun.MessageType
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 2048)
		for {
			n, from, err := stranger.ReadFrom(b)
			if err != nil {
				return
			}
			m := new(stun.Message)
			if err := stun.Decode(b[:n], m); err != nil {
				t.Errorf("got %x: %v", b[:n], err)
				continue
			}
			seen = append(seen, m.Type)
			answer := stun.MustBuild(m, stun.NewType(m.Type.Method, stun.ClassErrorResponse),
				stun.CodeUnauthorized, stun.NewRealm("stranger"), stun.NewNonce("nonce"))
			_, _ = stranger.WriteTo(answer.Raw, from)
		}
	}()
	way := check.Way{Transport: check.UDP, Port: uint16(stranger.LocalAddr().(*net.UDPAddr).Port)}
	target := Target{
		Addr: netip.MustParseAddr("127.0.0.1"), Ways: []check.Way{way}, Seats: testSeats,
		Revoke: func(context.Context) error { t.Error("revoked"); return nil },
	}
	report, err := target.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stranger.Close()
	<-done
	allocate := stun.NewType(stun.MethodAllocate, stun.ClassRequest)
	if !slices.Equal(seen, []stun.MessageType{allocate, allocate}) {
		t.Errorf("it saw %v, want an honest client's challenge and its answer", seen)
	}
	if len(report.Untried) != 3 || len(report.Accepted) != 0 || report.Counts[0].Tried != 0 ||
		!strings.Contains(report.Untried[0].Answer, "answered 401") {
		t.Errorf("%+v", report)
	}
}

// TestEverySpellingCarriesTheAddress: no two spellings are the same, and none is missing.
func TestEverySpellingCarriesTheAddress(t *testing.T) {
	list := Spellings(netip.MustParseAddr("127.0.0.1"))
	for _, want := range []string{
		"::ffff:127.0.0.1", "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1",
		"64:ff9b:1::127.0.0.1", "64:ff9b:1:7f00:0:100::",
		"64:ff9b:1:7f:0:1::", "64:ff9b:1:0:7f:0:100:0", "2002:7f00:1::1",
		"2001:0:7f00:1:0:1234:f6f6:f6f6", "2001:0:909:909:0:1234:80ff:fffe",
		"2606:4700::5efe:127.0.0.1", "2606:4700::200:5efe:127.0.0.1",
	} {
		if !slices.Contains(list, netip.MustParseAddr(want)) {
			t.Errorf("%s is missing from %v", want, list)
		}
	}
	if len(list) != 13 || Spellings(netip.MustParseAddr("::1")) != nil {
		t.Errorf("%d spellings", len(list))
	}
}
