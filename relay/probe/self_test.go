package probe_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"praxisrelay/config"
	"praxisrelay/relay"
	"praxisrelay/relay/credential"
	"praxisrelay/relay/probe"
)

// TestSelf checks a relay on all addresses, behind a proxy that may be this host, and a page that
// is well or not.
func TestSelf(t *testing.T) {
	keys, err := credential.NewKeyring([]byte("the secret of this test"))
	if err != nil {
		t.Fatal(err)
	}
	borrowed := httptest.NewUnstartedServer(nil) // only for its certificate
	borrowed.StartTLS()
	certificates := borrowed.TLS.Certificates
	borrowed.Close()
	c := config.Default()
	c.Listen.HTTPS, c.Listen.TURNUDP = ":0", []string{":0", "127.0.0.1:0"}
	c.Listen.TURNTCP, c.Listen.TURNTLS = []string{"0.0.0.0:0"}, nil
	c.Listen.ProxyProtocolFrom = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	r, err := relay.Listen(relay.Options{Listen: c.Listen, Relay: c.Relay, Keys: keys,
		TLS: &tls.Config{Certificates: certificates}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- r.Serve(ctx) }()
	var status atomic.Int64
	status.Store(http.StatusOK)
	page := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		http.Error(w, "the relay is stuck", int(status.Load()))
	})}
	go func() { _ = page.Serve(r.HTTP()) }()
	where := r.Addresses()
	self := probe.Self{UDP: where.UDP, TCP: where.TCP, HTTPS: where.HTTPS,
		Proxies: c.Listen.ProxyProtocolFrom}
	check := func(what string, s probe.Self, want ...string) {
		t.Helper()
		within := 20 * time.Second
		if len(want) > 0 && want[0] == "no answer" {
			within = 300 * time.Millisecond
		}
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		err := s.Check(ctx)
		if (err == nil) != (len(want) == 0) {
			t.Errorf("%s: %v", what, err)
		}
		for _, text := range want {
			if err != nil && !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v, want %q", what, err, text)
			}
		}
	}
	check("all of it", self)
	status.Store(http.StatusServiceUnavailable)
	check("a page that is not well", self, "/healthz answers 503", "the relay is stuck")
	status.Store(http.StatusOK)

	silent, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	mute, err := net.Listen("tcp4", "127.0.0.1:0") // accepts in the kernel, and stays silent
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	address := func(a net.Addr) netip.AddrPort { return netip.MustParseAddrPort(a.String()) }
	check("a UDP reader that is stuck", probe.Self{UDP: []netip.AddrPort{address(silent.LocalAddr())},
		HTTPS: self.HTTPS, Proxies: self.Proxies}, "no answer", "STUN over UDP at "+silent.LocalAddr().String())
	check("a TCP listener that is stuck", probe.Self{TCP: []netip.AddrPort{address(mute.Addr())},
		HTTPS: self.HTTPS, Proxies: self.Proxies}, "no answer", "STUN over TCP at")
	check("an HTTPS listener that is stuck", probe.Self{HTTPS: address(mute.Addr())}, "no answer", "HTTPS at")
	page.Close()
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	check("nothing at all", self, "STUN over UDP at", "STUN over TCP at", "HTTPS at")
}
