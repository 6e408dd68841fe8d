package apptest

import (
	"net"
	"path/filepath"
	"testing"
	"time"
)

// manager is a service manager that notes what it is told.
type manager struct {
	Path string
	conn *net.UnixConn
}

func NewManager(t *testing.T) *manager {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &manager{path, conn}
}

// Next is the next thing that it is told.
func (m *manager) Next(t *testing.T, within time.Duration) (string, error) {
	t.Helper()
	if err := m.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1000)
	n, err := m.conn.Read(b)
	return string(b[:n]), err
}

// Hears waits until it was told all of that, in this order.
func (m *manager) Hears(t *testing.T, wants ...string) {
	t.Helper()
	var told []string
	for len(wants) > 0 {
		text, err := m.Next(t, 20*time.Second)
		if err != nil {
			t.Fatalf("told %q, and not %q: %v", told, wants[0], err)
		}
		told = append(told, text)
		if text == wants[0] {
			wants = wants[1:]
		}
	}
}
