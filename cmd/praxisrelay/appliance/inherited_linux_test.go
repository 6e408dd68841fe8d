package appliance_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/relay/probe"
)

// TestInheritedSockets checks that the daemon serves on inherited sockets whose addresses its
// configuration names, and warns of the others.
func TestInheritedSockets(t *testing.T) {
	t.Parallel()
	file, folder := apptest.WriteConfig(t)
	https, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	unwanted, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	for _, own := range []interface{ Close() error }{https, udp, unwanted} {
		defer own.Close()
	}
	apptest.Edit(t, file, "https: 127.0.0.1:0", "https: "+https.Addr().String(),
		"turn_udp: [127.0.0.1:0]", "turn_udp: ['127.0.0.1:0', '"+udp.LocalAddr().String()+"']")
	serve := apptest.Program("serve", "--config", file)
	// The environment must name the process, whose number is only known once it runs.
	c := exec.Command("sh", append([]string{"-c", `LISTEN_PID=$$ exec "$@"`, "sh"}, serve.Args...)...)
	c.Env = append(serve.Env, "LISTEN_FDS=3", "LISTEN_FDNAMES=https.socket:udp.socket:unwanted.socket")
	for _, socket := range []interface{ File() (*os.File, error) }{
		https.(*net.TCPListener), udp.(*net.UDPConn), unwanted.(*net.TCPListener),
	} {
		inherited, err := socket.File()
		if err != nil {
			t.Fatal(err)
		}
		defer inherited.Close()
		c.ExtraFiles = append(c.ExtraFiles, inherited)
	}
	var addresses apptest.Listening
	d := apptest.Start(t, c, true, addresses.Read)
	if addresses.HTTPS[0] != https.Addr().String() || addresses.UDP[1] != udp.LocalAddr().String() {
		t.Errorf("served are %v and %v", addresses.HTTPS, addresses.UDP)
	}
	conn, err := tls.Dial("tcp", https.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	for _, address := range addresses.UDP {
		if _, err := probe.PublicAddress(t.Context(), address); err != nil {
			t.Error(err)
		}
	}
	status, err := apptest.NewServed(folder).Admin.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range status.Listeners {
		if handed := l.Address == https.Addr().String() ||
			l.Address == udp.LocalAddr().String(); l.Inherited != handed {
			t.Errorf("the status of %s: inherited %v", l.Address, l.Inherited)
		}
	}
	checkClosedOnExec(t, d.Process.Pid)
	d.Stop(t)
	warning := regexp.MustCompile(`level=WARN .*socket="unwanted.socket ` +
		regexp.QuoteMeta(unwanted.Addr().String()) + `"`)
	if log := d.Stderr.String(); !warning.MatchString(log) ||
		strings.Count(log, "of the service manager") != 1 {
		t.Errorf("one warning about the unwanted socket was expected:\n%s", log)
	}
}

// checkClosedOnExec checks that processes started by the daemon would not inherit its sockets.
func checkClosedOnExec(t *testing.T, pid int) {
	t.Helper()
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	sockets := 0
	for _, link := range links {
		if what, err := os.Readlink(link); err != nil || !strings.HasPrefix(what, "socket:") {
			continue
		}
		sockets++
		info, err := os.ReadFile(strings.Replace(link, "/fd/", "/fdinfo/", 1))
		if err != nil {
			t.Fatal(err)
		}
		_, flags, _ := strings.Cut(string(info), "flags:")
		if bits, err := strconv.ParseUint(strings.Fields(flags)[0], 8, 64); err != nil ||
			bits&syscall.O_CLOEXEC == 0 {
			t.Errorf("%s is left open on exec: %s, %v", link, info, err)
		}
	}
	if sockets < 6 {
		t.Errorf("only %d sockets: the daemon has more", sockets)
	}
}
