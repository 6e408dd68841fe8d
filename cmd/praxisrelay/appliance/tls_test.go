package appliance

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/config"
	"praxisrelay/relay"
	"praxisrelay/relay/certificate"
	"praxisrelay/relay/credential"
)

// TestTLSIsWhatItShouldBe checks TR-02102-2's versions and ciphers, the hybrid key exchange, and
// that tickets do not outlive their keys.
func TestTLSIsWhatItShouldBe(t *testing.T) {
	held, err := secrets.New(apptest.Loopback)
	if err != nil {
		t.Fatal(err)
	}
	now := atomic.Pointer[time.Time]{}
	start := time.Now()
	now.Store(&start)
	pair := certificate.NewStore(apptest.Loopback, time.Now, slog.New(slog.DiscardHandler))
	if err := pair.Replace(held.Pair.Chain, held.Pair.Key); err != nil {
		t.Fatal(err)
	}
	settings := tlsConfig(pair)
	settings.Time = func() time.Time { return *now.Load() }
	listener, err := tls.Listen("tcp", "127.0.0.1:0", settings)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(conn, conn); conn.Close() }()
		}
	}()
	dial := func(c *tls.Config) (tls.ConnectionState, error) {
		c.InsecureSkipVerify = true
		c.ServerName = "demo" // the session cache's key
		conn, err := tls.Dial("tcp", listener.Addr().String(), c)
		if err != nil {
			return tls.ConnectionState{}, err
		}
		defer conn.Close()
		// The ticket arrives with the first bytes.
		if _, err := conn.Write([]byte("x")); err != nil {
			return tls.ConnectionState{}, err
		}
		_, err = conn.Read(make([]byte, 1))
		return conn.ConnectionState(), err
	}
	for name, refused := range map[string]*tls.Config{
		"TLS 1.1":    {MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10},
		"CBC":        {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}},
		"RSA's keys": {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}},
	} {
		if state, err := dial(refused); err == nil {
			t.Errorf("%s was accepted: %s", name, tls.CipherSuiteName(state.CipherSuite))
		}
	}
	if state, err := dial(&tls.Config{MaxVersion: tls.VersionTLS12}); err != nil ||
		!strings.Contains(tls.CipherSuiteName(state.CipherSuite), "ECDHE_ECDSA_WITH_AES_128_GCM") {
		t.Errorf("TLS 1.2: %s, %v", tls.CipherSuiteName(state.CipherSuite), err)
	}
	state, err := dial(&tls.Config{CurvePreferences: []tls.CurveID{tls.X25519MLKEM768}})
	if err != nil || state.Version != tls.VersionTLS13 || state.CurveID != tls.X25519MLKEM768 {
		t.Errorf("a client with only the hybrid key exchange: %v, %v", state.CurveID, err)
	}
	// Both ports of the relay start with the keys that these settings have by now.
	at := func(after time.Duration) { later := start.Add(after); now.Store(&later) }
	at(0)
	if _, err := dial(&tls.Config{}); err != nil {
		t.Fatal(err)
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		where := listenRelay(t, settings)
		ports := []netip.AddrPort{where.TLS[0], where.HTTPS}
		at(0)
		cache := tls.NewLRUClientSessionCache(1)
		ask := func(port int) bool {
			t.Helper()
			state, err := apptest.BindOverTLS(ports[port],
				&tls.Config{MaxVersion: version, ClientSessionCache: cache})
			if err != nil {
				t.Fatal(err)
			}
			return state.DidResume
		}
		for _, step := range []struct {
			what    string
			after   time.Duration
			port    int
			resumes bool
		}{
			{"at first", 0, 0, false},
			{"an hour later", time.Hour, 0, true},
			{"on another port with the same keys", time.Hour, 1, true},
			{"nine days later", 9 * 24 * time.Hour, 0, false},
			{"a minute behind that", 9*24*time.Hour + time.Minute, 0, true},
			{"on the other port, which never had that key", 9*24*time.Hour + time.Minute, 1, false},
		} {
			at(step.after)
			if got := ask(step.port); got != step.resumes {
				t.Errorf("%s: %s: resumed %v, want %v", tls.VersionName(version), step.what, got,
					step.resumes)
			}
		}
		at(0)
	}
	if state, err := apptest.BindOverTLS(listenRelay(t, settings).TLS[0], &tls.Config{}); err != nil ||
		state.CurveID != tls.X25519MLKEM768 {
		t.Errorf("a client with the library's defaults: %v, %v; want the hybrid key exchange",
			state.CurveID, err)
	}
}

// listenRelay runs a relay with the given TLS settings.
func listenRelay(t *testing.T, settings *tls.Config) relay.Addresses {
	t.Helper()
	keys, err := credential.NewKeyring([]byte("the secret of this test"))
	if err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.Listen.HTTPS, c.Listen.TURNUDP, c.Listen.TURNTCP, c.Listen.TURNTLS = "127.0.0.1:0", []string{"127.0.0.1:0"}, nil, []string{"127.0.0.1:0"}
	r, err := relay.Listen(relay.Options{Listen: c.Listen, Relay: c.Relay, Keys: keys, TLS: settings,
		Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- r.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return r.Addresses()
}
