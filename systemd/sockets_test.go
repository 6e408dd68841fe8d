package systemd

import (
	"net"
	"net/netip"
	"testing"
)

func TestWhichInheritedSocketServesAnAddress(t *testing.T) {
	for _, test := range []struct {
		bound, address string
		want           bool
	}{
		{"[::]:443", ":443", true},
		{"0.0.0.0:443", ":443", true},
		{"0.0.0.0:443", "0.0.0.0:443", true},
		{"192.0.2.1:443", "192.0.2.1:443", true},
		{"[2001:db8::1]:443", "[2001:db8::1]:443", true},
		{"[::]:443", ":44", false},
		{"[::]:443", ":8443", false},
		{"[::]:443", "192.0.2.1:443", false}, // a socket on all addresses must not replace one on a single address
		{"192.0.2.1:443", ":443", false},
		{"192.0.2.1:443", "192.0.2.2:443", false},
		{"[::]:443", "0.0.0.0:443", false},
		{"[::]:443", ":0", false},
		{"[::]:443", "", false},
	} {
		bound := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(test.bound))
		if got := serves(bound, test.address); got != test.want {
			t.Errorf("a socket bound to %s serves %q: %v", test.bound, test.address, got)
		}
	}
	if serves(&net.UnixAddr{Name: "/run/x.sock", Net: "unix"}, ":443") {
		t.Error("a unix socket serves :443")
	}
}

func TestOtherSocketsAreBound(t *testing.T) {
	s := Inherit() // go test passes none
	listener, err := s.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	packets, err := s.ListenPacket("udp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer packets.Close()
	if left := s.CloseUnused(); len(left) > 0 {
		t.Errorf("not used: %v", left)
	}
}
