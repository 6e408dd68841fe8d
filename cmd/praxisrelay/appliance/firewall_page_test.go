package appliance

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"net/netip"
	"testing"
	"time"

	"praxisrelay/config"
	"praxisrelay/relay"
	"praxisrelay/relay/check"
)

// names is a resolver that counts look-ups.
type names struct {
	found []string
	asked int
}

func (n *names) LookupNetIP(ctx context.Context, _, _ string) (addresses []netip.Addr, err error) {
	n.asked++
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	for _, addr := range n.found {
		addresses = append(addresses, netip.MustParseAddr(addr))
	}
	if len(addresses) == 0 {
		err = errors.New("no such host")
	}
	return addresses, err
}

// TestFirewallPageLooksUpRarely checks that repeated requests for the page do not repeat DNS
// queries, and that a reader who leaves does not spoil the answer for others.
func TestFirewallPageLooksUpRarely(t *testing.T) {
	c := config.Default()
	c.Name = "relay.example.org"
	resolver, now := &names{found: []string{"192.0.2.10"}}, time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	bound := relay.Addresses{HTTPS: netip.MustParseAddrPort("[::]:443"),
		UDP: []netip.AddrPort{netip.MustParseAddrPort("[::]:3478")}}
	var leaf *x509.Certificate // none yet
	p := &pagePlan{
		config: asBound(c, bound), resolver: resolver,
		now: func() time.Time { return now }, leaf: func() *x509.Certificate { return leaf },
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 3 {
		if got := p.plan(gone); len(got.Addresses) != 1 || !got.AsOf.Equal(now) {
			t.Errorf("the plan is %+v", got)
		}
	}
	if resolver.asked != 1 {
		t.Errorf("the name was looked up %d times", resolver.asked)
	}
	// A renewed certificate appears at once.
	for _, key := range []string{"one", "another"} {
		leaf = &x509.Certificate{RawSubjectPublicKeyInfo: []byte(key), NotAfter: now}
		if got := p.plan(gone); !bytes.Equal(got.Key.SHA256, check.Fingerprint(leaf)) ||
			!got.Key.Ends.Equal(now) || resolver.asked != 1 {
			t.Errorf("the key is %+v", got.Key)
		}
	}
	now = now.Add(renewPage)
	resolver.found = []string{"192.0.2.11"}
	if got := p.plan(gone); got.Addresses[0] != netip.MustParseAddr("192.0.2.11") || resolver.asked != 2 {
		t.Errorf("later the plan is %+v, and the name was looked up %d times", got, resolver.asked)
	}
}
