package systemd

import (
	"net"
	"path/filepath"
	"testing"
)

func TestTheServiceManagerIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	for want, tell := range map[string]func() error{"READY=1": Ready, "STOPPING=1": Stopping} {
		if err := tell(); err != nil {
			t.Fatal(err)
		}
		var b [64]byte
		n, err := conn.Read(b[:])
		if err != nil || string(b[:n]) != want {
			t.Errorf("told %q, %v; want %q", b[:n], err, want)
		}
	}
}

func TestWithoutAServiceManagerNothingHappens(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	if err := Ready(); err != nil {
		t.Error(err)
	}
}
