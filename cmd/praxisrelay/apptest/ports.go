package apptest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
)

// FreeTCP returns a loopback address with a free port.
func FreeTCP(t *testing.T) string {
	t.Helper()
	return "127.0.0.1:" + FreePort(t)
}

// FreePort returns a port that is free for UDP and TCP. It is below the system's range for clients'
// connections, so none of those can take it.
func FreePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := fmt.Sprint(10_000 + rand.IntN(20_000))
		conn, err := net.ListenPacket("udp4", "127.0.0.1:"+port)
		if err != nil {
			continue
		}
		listener, err := net.Listen("tcp4", "127.0.0.1:"+port)
		conn.Close()
		if err == nil {
			listener.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}

// Listening is where a daemon listens.
type Listening struct{ HTTPS, UDP, TCP, TLS []string }

// Read reads the addresses from the log line that reports them, and reports whether this is that
// line.
func (l *Listening) Read(line string) bool {
	list := func(key string) []string {
		_, value, _ := strings.Cut(line, key+"=")
		if quoted, ok := strings.CutPrefix(value, `"`); ok {
			value, _, _ = strings.Cut(quoted, `"`)
		} else {
			value, _, _ = strings.Cut(value, " ")
		}
		return strings.Fields(value[1 : len(value)-1])
	}
	_, rest, ok := strings.Cut(line, "msg=serving url=https://")
	if !ok {
		return false
	}
	address, _, _ := strings.Cut(rest, "/")
	l.HTTPS, l.UDP, l.TCP, l.TLS = []string{address}, list("turn_udp"), list("turn_tcp"), list("turn_tls")
	return true
}

// IsServing reports whether a line of the log says that the daemon serves.
func IsServing(line string) bool { return strings.Contains(line, "msg=serving") }
