package apptest

import (
	"net"
	"path/filepath"
	"testing"
	"time"
)

// ServiceManager records the notifications of a daemon.
type ServiceManager struct {
	Path string
	conn *net.UnixConn
}

// NewServiceManager listens on a new notification socket.
func NewServiceManager(t *testing.T) *ServiceManager {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &ServiceManager{path, conn}
}

// Next returns the next notification.
func (m *ServiceManager) Next(t *testing.T, within time.Duration) (string, error) {
	t.Helper()
	if err := m.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1000)
	n, err := m.conn.Read(b)
	return string(b[:n]), err
}

// Expect waits until these notifications have arrived, in this order, possibly with others in
// between.
func (m *ServiceManager) Expect(t *testing.T, wants ...string) {
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
