package apptest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
)

func FreeTCP(t *testing.T) string {
	t.Helper()
	return "127.0.0.1:" + FreePort(t)
}

// Listening reads where a daemon listens from the line that says so.
type Listening struct{ HTTPS, Udp, Tcp, Tls []string }

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
	l.HTTPS, l.Udp, l.Tcp, l.Tls = []string{address}, list("turn_udp"), list("turn_tcp"), list("turn_tls")
	return true
}

// FreePort returns a port that is free for UDP and TCP, and that no client's connection is
// given: it is below the system's range for those.
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
