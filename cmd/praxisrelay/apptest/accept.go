package apptest

import (
	"net"
	"testing"
)

// AcceptEach passes every accepted connection to serve, one at a time, until the test ends.
func AcceptEach(t testing.TB, listener net.Listener, serve func(net.Conn)) {
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serve(conn)
		}
	}()
}

// AcceptHere is AcceptEach on a loopback port, whose address it returns.
func AcceptHere(t testing.TB, serve func(net.Conn)) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	AcceptEach(t, listener, serve)
	return listener.Addr().String()
}
