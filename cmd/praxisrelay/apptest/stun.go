package apptest

import (
	"net"
	"testing"

	"github.com/pion/stun/v3"
)

// STUNServer answers every Binding request with the address says.
func STUNServer(t *testing.T, says string) (address string) {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			request := new(stun.Message)
			if stun.Decode(b[:n], request) == nil {
				mapped := &stun.XORMappedAddress{IP: net.ParseIP(says), Port: 4000}
				_, _ = conn.WriteTo(stun.MustBuild(stun.NewTransactionIDSetter(request.TransactionID),
					stun.BindingSuccess, mapped).Raw, from)
			}
		}
	}()
	return conn.LocalAddr().String()
}
