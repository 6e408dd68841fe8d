package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/pion/stun/v3"
)

// TestPublicAddress asks a server that loses the first request, answers another one, and then this
// one.
func TestPublicAddress(t *testing.T) {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() {
		b := make([]byte, 1500)
		for i := 0; ; i++ {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			request := new(stun.Message)
			if i == 0 || stun.Decode(b[:n], request) != nil {
				continue
			}
			mapped := &stun.XORMappedAddress{IP: net.IPv4(203, 0, 113, 9), Port: 4000}
			for _, id := range []stun.Setter{stun.TransactionID, stun.NewTransactionIDSetter(request.TransactionID)} {
				_, _ = conn.WriteTo(stun.MustBuild(id, stun.BindingSuccess, mapped).Raw, from)
			}
		}
	}()
	got, err := PublicAddress(t.Context(), conn.LocalAddr().String())
	if err != nil || got != netip.MustParseAddr("203.0.113.9") {
		t.Errorf("got %v, %v", got, err)
	}

	deaf, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := PublicAddress(ctx, deaf.LocalAddr().String()); !errors.Is(err, context.Canceled) {
		t.Errorf("no server: %v", err)
	}
}

type resolver map[string][]netip.Addr

func (r resolver) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if addrs, ok := r[host]; ok {
		return addrs, nil
	}
	return nil, errors.New("no such host")
}

func TestCheckName(t *testing.T) {
	four, six := netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("2001:db8::9")
	names := resolver{
		"right.example.org": {netip.AddrFrom16(four.As16()), six},
		"half.example.org":  {four, netip.MustParseAddr("198.51.100.1")},
	}
	for name, want := range map[string]string{
		"right.example.org": "", "203.0.113.9": "", "198.51.100.1": "",
		"half.example.org":  "resolves to 198.51.100.1, which is no address of this host: if a NAT translates it, set relay.public_address",
		"wrong.example.org": "does not resolve here",
	} {
		err := CheckName(t.Context(), names, name, []netip.Addr{four, six})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}
