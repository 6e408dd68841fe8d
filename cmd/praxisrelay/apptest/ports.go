package apptest

import (
	"fmt"
	"math/rand/v2"
	"net"
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
