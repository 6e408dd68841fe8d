package check

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"go.uber.org/goleak"

	"praxisrelay/config"
	"praxisrelay/relay"
	"praxisrelay/relay/credential"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs a relay on a loopback address and returns it as a target with a test's credential.
func serve(t *testing.T, host string, rate int) (*Target, *Results) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		BasicConstraintsValid: true, IsCA: true, IPAddresses: []net.IP{net.ParseIP(host)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := credential.NewKeyring([]byte("a secret of a test"))
	if err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	listen := net.JoinHostPort(host, "0")
	c.Listen.HTTPS = listen
	c.Listen.TURNUDP, c.Listen.TURNTCP, c.Listen.TURNTLS = []string{listen, listen}, []string{listen}, []string{listen}
	c.Relay.Addresses = []netip.Addr{netip.MustParseAddr(host)}
	c.Relay.AllocationRate = rate
	r, err := relay.Listen(relay.Options{
		Listen: c.Listen, Relay: c.Relay, Keys: keys, Now: time.Now,
		TLS: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	made, err := keys.Mint(credential.Identity{Appointment: "jnrgqgsnkz2ja", Seat: credential.Test,
		Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a := r.Addresses()
	target := &Target{
		Host: host, HTTPS: a.HTTPS.Port(), Roots: x509.NewCertPool(),
		Key: Fingerprint(certificate), KeyFrom: FromCode,
		Username: made.Username, Password: made.Password,
		Ports: Ports{UDP: []uint16{a.UDP[0].Port(), a.UDP[1].Port()}, TCP: []uint16{a.TCP[0].Port()},
			TLS: []uint16{a.TLS[0].Port(), a.HTTPS.Port()}},
	}
	target.Roots.AddCert(certificate)
	target.give(t)
	return target, new(Results)
}

// give adds an ICE server on every way.
func (t *Target) give(test *testing.T) {
	test.Helper()
	var urls []string
	for _, w := range t.Ports.Ways() {
		url := map[Transport]string{
			UDP: "turn:%s", TCP: "turn:%s?transport=tcp", TLS: "turns:%s",
		}[w.Transport]
		urls = append(urls, fmt.Sprintf(url, net.JoinHostPort(t.Host, fmt.Sprint(w.Port))))
	}
	var err error
	if t.Servers, err = ParseServers(urls, t.Username, t.Password); err != nil {
		test.Fatal(err)
	}
}

// credentialed is the probe that others need; tests already have a credential.
var credentialed = Probe{ID: "credential", Run: func(context.Context) (Values, error) { return nil, nil }}

func TestEveryWayIsOpen(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			target, results := serve(t, host, config.Default().Relay.AllocationRate)
			results.Run(t.Context(), target.Base()...)
			results.Run(t.Context(), append(target.All(results, time.Second), credentialed)...)
			for _, r := range results.List() {
				if r.Status != OK {
					t.Errorf("%s: %s %s: %s", r.ID, r.Status, r.Reason, r.Detail)
				}
			}
			if nat, _ := results.Get("nat"); nat.Values["mapping"] != NoNAT {
				t.Errorf("NAT: %v", nat.Values)
			}
			if ice, _ := results.Get("ice"); ice.Values["from"] == ice.Values["to"] {
				t.Errorf("both ICE agents used one way: %v", ice.Values)
			}
			c := target.Conclude(results)
			if c.Verdict != Works || *c.Best != (Way{UDP, target.Ports.UDP[0]}) {
				t.Errorf("%+v", c)
			}
		})
	}
}

// TestQualityDetectsAPoorLine: packets that the relay does not carry count as lost.
func TestQualityDetectsAPoorLine(t *testing.T) {
	target, results := serve(t, "127.0.0.1", 20_000)
	results.Run(t.Context(), append(target.Base(), target.Binding(Way{UDP, target.Ports.UDP[0]}),
		target.Echo(Way{UDP, target.Ports.UDP[0]}), credentialed)...)
	results.Run(t.Context(), target.Quality(results, 2*time.Second))
	if q, _ := results.Get("quality"); q.Reason != Poor || q.Values["loss_percent"].(float64) < 50 {
		t.Errorf("%+v", q)
	}
}

func TestWhyAWayFails(t *testing.T) {
	good, _ := serve(t, "127.0.0.1", 0)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().(*net.TCPAddr).AddrPort().Port()
	closed.Close()
	deaf, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	silent := deaf.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	text := listen(t, "SSH-2.0-example\r\n")
	hangsUp := listen(t, "")
	tlsWay := Way{TLS, good.Ports.TLS[0]}
	proxied := func(answer string) func(*Target) {
		port := listen(t, answer)
		return func(target *Target) {
			target.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", port)})
		}
	}
	for name, test := range map[string]struct {
		change func(*Target)
		probe  func(*Target) Probe
		want   Reason
	}{
		"nobody listens": {nil, func(t *Target) Probe { return t.Stream(Way{TCP, nobody}) }, Refused},
		"UDP is dropped": {nil, func(t *Target) Probe { return t.Binding(Way{UDP, silent}) }, Silence},
		"no such name":   {func(t *Target) { t.Host = "relay.invalid" }, (*Target).Name, NoAddress},
		"another password": {func(t *Target) { t.Password = "another" },
			func(t *Target) Probe { return without(t.Echo(tlsWay)) }, RelayRefused},
		"not an authority of ours": {func(t *Target) { t.Roots = x509.NewCertPool() },
			func(t *Target) Probe { return without(t.TLS(tlsWay)) }, Untrusted},
		"an interceptor nobody trusts": {func(t *Target) { t.Roots, t.Key, t.KeyFrom = x509.NewCertPool(), make([]byte, 32), FromFlag },
			func(t *Target) Probe { return without(t.TLS(tlsWay)) }, Intercepted},
		"another name": {func(t *Target) { t.Host = "localhost" },
			func(t *Target) Probe { return without(t.TLS(tlsWay)) }, WrongName},
		"not TLS":     {nil, func(t *Target) Probe { return without(t.TLS(Way{TLS, text})) }, NoTLS},
		"it hangs up": {nil, func(t *Target) Probe { return without(t.TLS(Way{TLS, hangsUp})) }, Cut},
		"a proxy that refuses": {proxied("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
			func(t *Target) Probe { return t.Stream(tlsWay) }, ProxyRefused},
		"a proxy that asks who": {proxied("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"),
			func(t *Target) Probe { return t.Stream(tlsWay) }, ProxyAuth},
		"a proxy that is none": {proxied("220 example.org\r\n"),
			func(t *Target) Probe { return t.Stream(tlsWay) }, ProxyRefused},
		"a proxy that is down": {func(t *Target) {
			t.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", nobody)})
		}, func(t *Target) Probe { return t.Stream(tlsWay) }, ProxyDown},
	} {
		t.Run(name, func(t *testing.T) {
			target := &Target{Host: good.Host, HTTPS: good.HTTPS, Roots: good.Roots,
				Ports: good.Ports, Username: good.Username, Password: good.Password}
			if test.change != nil {
				test.change(target)
			}
			var results Results
			results.Run(t.Context(), target.Name())
			probe := test.probe(target)
			if probe.ID != "dns" {
				results.Run(t.Context(), probe)
			}
			if r, _ := results.Get(probe.ID); r.Status != Failed || r.Reason != test.want {
				t.Errorf("%s %q: %s, want %q", r.Status, r.Reason, r.Detail, test.want)
			}
		})
	}
}

// without returns a probe without its needs.
func without(p Probe) Probe {
	p.Needs = nil
	return p
}

// listen sends one text to each client that has sent something.
func listen(t *testing.T, text string) uint16 {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { listener.Close(); <-done })
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = bufio.NewReader(conn).ReadByte()
			fmt.Fprint(conn, text)
			conn.Close()
		}
	}()
	return listener.Addr().(*net.TCPAddr).AddrPort().Port()
}
