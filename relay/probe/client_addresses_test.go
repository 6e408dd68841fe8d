package probe

import (
	"context"
	"errors"
	"net/netip"
	"reflect"
	"testing"
)

// names answers look-ups.
type names []string

func (n names) LookupNetIP(context.Context, string, string) (addresses []netip.Addr, err error) {
	for _, addr := range n {
		addresses = append(addresses, netip.MustParseAddr(addr))
	}
	if len(n) == 0 {
		err = errors.New("no such host")
	}
	return addresses, err
}

// TestClientAddresses: where the name leads, or the public address of its family.
func TestClientAddresses(t *testing.T) {
	for _, test := range []struct {
		name, public string
		found, want  []string
		err          string
	}{
		{"relay.example.org", "", []string{"::ffff:192.0.2.10", "2001:db8::10"}, []string{"192.0.2.10", "2001:db8::10"}, ""},
		{"relay.example.org", "203.0.113.7", []string{"10.0.0.5", "2001:db8::10"}, []string{"203.0.113.7", "2001:db8::10"}, ""},
		{"relay.example.org", "203.0.113.7", nil, []string{"203.0.113.7"}, ""},
		{"relay.example.org", "", nil, nil, "relay.example.org does not resolve here (no such host)"},
		{"2001:db8::7", "", nil, []string{"2001:db8::7"}, ""},
	} {
		var public netip.Addr
		if test.public != "" {
			public = netip.MustParseAddr(test.public)
		}
		addresses, err := ClientAddresses(t.Context(), names(test.found), test.name, public)
		var got []string
		for _, addr := range addresses {
			got = append(got, addr.String())
		}
		if !reflect.DeepEqual(got, test.want) || (err != nil || test.err != "") && (err == nil || err.Error() != test.err) {
			t.Errorf("%+v: got %v, %v", test, got, err)
		}
	}
}
