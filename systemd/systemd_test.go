package systemd

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTheServiceManagerIsNotified(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	for want, tell := range map[string]func() error{
		"READY=1": Ready, "STOPPING=1": Stopping, "WATCHDOG=1": Feed,
		"STATUS=2 calls":              func() error { return Status("2 calls") },
		"EXTEND_TIMEOUT_USEC=1500000": func() error { return ExtendTimeout(1500 * time.Millisecond) },
	} {
		if err := tell(); err != nil {
			t.Fatal(err)
		}
		var b [64]byte
		n, err := conn.Read(b[:])
		if err != nil || string(b[:n]) != want {
			t.Errorf("notified %q, %v; want %q", b[:n], err, want)
		}
	}
}

func TestWithoutAServiceManagerNothingHappens(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	if err := Ready(); err != nil {
		t.Error(err)
	}
}

// TestTheUnitAllowsWhatTheDaemonNeeds: hardening is easily tightened one notch too far, and the
// loss is silent.
func TestTheUnitAllowsWhatTheDaemonNeeds(t *testing.T) {
	unit, err := os.ReadFile("praxisrelay.service")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string][]string{}
	for line := range strings.Lines(string(unit)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			values[key] = append(values[key], strings.Fields(value)...)
		}
	}
	if !slices.Contains(values["RestrictAddressFamilies"], "AF_NETLINK") {
		t.Error("AF_NETLINK: without it the host's own addresses are unknown, and not guarded by the open relay")
	}
	if len(values["ProcSubset"]) > 0 {
		t.Error("ProcSubset: it hides net.core.somaxconn, and listeners get a backlog of 128")
	}
	if !slices.Contains(values["LimitCORE"], "0") {
		t.Error("LimitCORE: a core would hold secrets")
	}
}
