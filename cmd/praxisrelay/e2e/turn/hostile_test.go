package turn

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
)

// TestHostileStreams sends false lengths, one-byte segments and handshakes that never end, before
// any authentication, to every stream port. Each connection is closed in time, and costs no CPU
// until then.
func TestHostileStreams(t *testing.T) {
	t.Parallel()
	info, d := apptest.StartDemo(t)
	attacks := map[string]struct {
		first, drip []byte // drip is sent byte by byte, for as long as the connection lives
		within      time.Duration
	}{
		// Nine bytes whose 16-bit length wraps to a frame of length zero.
		"nine bytes":       {[]byte{0x40, 0x00, 0xFF, 0xFC, 0, 0, 0, 0, 0}, nil, 3 * time.Second},
		"a frame of 64 KB": {[]byte{0x00, 0x01, 0xFF, 0xFC, 0x21, 0x12, 0xA4, 0x42}, nil, 3 * time.Second},
		"another cookie": {[]byte{0x00, 0x01, 0x00, 0x00, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
			13, 14, 15, 16}, nil, 3 * time.Second},
		"one-byte segments":   {[]byte{0x00, 0x01, 0x07, 0xE0, 0x21, 0x12, 0xA4, 0x42}, make([]byte, 1), 14 * time.Second},
		"one-byte media":      {[]byte{0x40, 0x00, 0x07, 0xF0}, make([]byte, 1), 14 * time.Second},
		"nothing":             {nil, nil, 14 * time.Second},
		"half a ClientHello":  {[]byte{22, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3}, nil, 14 * time.Second},
		"a slow ClientHello":  {[]byte{22, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3}, make([]byte, 1), 14 * time.Second},
		"half a STUN message": {[]byte{0x00, 0x01, 0x00, 0x08, 0x21, 0x12}, nil, 14 * time.Second},
	}
	ports := map[string]func() (net.Conn, error){
		"tcp":   func() (net.Conn, error) { return net.Dial("tcp", info.TURNTCP) },
		"tls":   func() (net.Conn, error) { return tls.Dial("tcp", info.TURNTLS, &tls.Config{InsecureSkipVerify: true}) },
		"https": func() (net.Conn, error) { return tls.Dial("tcp", info.HTTPS, &tls.Config{InsecureSkipVerify: true}) },
		// Below TLS: the handshake does not begin, or does not end.
		"bare tls":   func() (net.Conn, error) { return net.Dial("tcp", info.TURNTLS) },
		"bare https": func() (net.Conn, error) { return net.Dial("tcp", info.HTTPS) },
	}
	before := cpuTime(t, d.Process.Pid)
	var running sync.WaitGroup
	for name, attack := range attacks {
		for port, dial := range ports {
			if port == "https" && len(attack.first) > 0 && attack.first[0] > 1 {
				continue // it looks like HTTP on this port
			}
			running.Go(func() {
				conn, err := dial()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				if _, err := conn.Write(attack.first); err != nil {
					t.Error(err)
					return
				}
				stop := make(chan struct{})
				defer close(stop)
				if attack.drip != nil {
					go drip(conn, attack.drip, stop)
				}
				_ = conn.SetReadDeadline(time.Now().Add(attack.within))
				n, err := io.Copy(io.Discard, conn)
				if timeout, ok := err.(net.Error); ok && timeout.Timeout() ||
					n > 0 && !strings.HasPrefix(port, "bare") { // TLS sends an alert
					t.Errorf("%s to %s, after %v: %d bytes, %v; want the connection to be gone", name,
						port, attack.within, n, err)
				}
			})
		}
	}
	running.Wait()
	// Twelve TLS handshakes and a hundred small reads.
	if spent := cpuTime(t, d.Process.Pid) - before; spent > 3*time.Second {
		t.Errorf("the attacks cost %v of CPU", spent)
	} else {
		t.Logf("the attacks cost %v of CPU", spent)
	}
}

func drip(conn net.Conn, b []byte, stop chan struct{}) {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
			if _, err := conn.Write(b); err != nil {
				return
			}
		}
	}
}

// cpuTime is the CPU time of a process, user and system.
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+2:]))
	var ticks time.Duration
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		ticks += time.Duration(n)
	}
	return ticks * 10 * time.Millisecond
}
