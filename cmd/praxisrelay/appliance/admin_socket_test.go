package appliance

import (
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/cmd/praxisrelay/logs"
	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/config"
	"praxisrelay/systemd"
)

// bound returns an appliance that has bound its sockets but does not serve.
func bound(t *testing.T) *Appliance {
	t.Helper()
	file, _ := apptest.WriteConfig(t)
	settings, s, err := secrets.Load(file, secrets.FromDisk, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	a, err := Listen(t.Context(), Options{Config: settings, Secrets: s, Sockets: new(systemd.Sockets),
		Now: time.Now, Log: logs.New(io.Discard, slog.LevelInfo, config.Pseudonym, time.Now)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.close)
	return a
}

// TestTheAdminSocketTakesNoFilesPlace checks that a mistyped path does not overwrite a file.
func TestTheAdminSocketTakesNoFilesPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	apptest.WriteFile(t, path, "the appointments", 0o600)
	if listener, err := listenAdmin(path); err == nil {
		listener.Close()
		t.Error("served")
	} else if !strings.Contains(err.Error(), "is not a socket") {
		t.Error(err)
	}
	if text, err := os.ReadFile(path); string(text) != "the appointments" {
		t.Errorf("the file holds %q, %v", text, err)
	}
}

// TestADeadDaemonsSocketIsReplaced also checks that a running daemon's socket is not.
func TestADeadDaemonsSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	living, err := listenAdmin(path)
	if err != nil {
		t.Fatal(err)
	}
	defer living.Close()
	if second, err := listenAdmin(path); err == nil {
		second.Close()
		t.Error("two appliances serve one socket")
	}
}
