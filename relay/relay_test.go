package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/stun/v3"
	"github.com/pion/turn/v4"
	"go.uber.org/goleak"

	"praxisrelay/config"
	"praxisrelay/relay/core"
	"praxisrelay/relay/credential"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lab is a running relay on the host's own addresses.
type lab struct {
	*testing.T
	*Relay
	keys    *credential.Keyring
	options Options
	wires   []*wire // in the order of connecting
}

func newLab(t *testing.T, listen config.Listen) *lab { return newLabWith(t, listen, nil) }

func newLabWith(t *testing.T, listen config.Listen, change func(*config.Listen, *config.Relay)) *lab {
	t.Helper()
	return newLabAt(t, listen, time.Now, change)
}

// newLabAt is newLabWith with a clock.
func newLabAt(
	t *testing.T, listen config.Listen, now func() time.Time, change func(*config.Listen, *config.Relay),
) *lab {
	t.Helper()
	keys, err := credential.NewKeyring([]byte("the secret of all tests"))
	if err != nil {
		t.Fatal(err)
	}
	borrowed := httptest.NewUnstartedServer(nil) // only for its certificate
	borrowed.StartTLS()
	certificate := borrowed.TLS.Certificates
	borrowed.Close()
	settings := config.Default().Relay
	settings.Addresses = []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}
	defaults := config.Default().Listen
	listen.MaxConnections = defaults.MaxConnections
	listen.MaxConnectionsPerPrefix = defaults.MaxConnectionsPerPrefix
	listen.MaxHandshakes = defaults.MaxHandshakes
	if change != nil {
		change(&listen, &settings)
	}
	options := Options{
		Listen: listen, Relay: settings, Keys: keys, TLS: &tls.Config{Certificates: certificate}, Now: now,
	}
	r, err := Listen(options)
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
	return &lab{T: t, Relay: r, keys: keys, options: options}
}

// clock stands still until the test moves it. It is safe for concurrent use.
type clock struct {
	mu   sync.Mutex
	time time.Time
}

func newClock() *clock { return &clock{time: time.Now()} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.time
}

func (c *clock) step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.time = c.time.Add(d)
}

var loopback = config.Listen{
	HTTPS: "127.0.0.1:0", TURNUDP: []string{"127.0.0.1:0"}, TURNTCP: []string{"127.0.0.1:0"},
	TURNTLS: []string{"127.0.0.1:0"},
}

// TestAnswersLeaveFromWhereTheRequestCameIn, on a socket for every address of the host: a connected
// client accepts no others.
func TestAnswersLeaveFromWhereTheRequestCameIn(t *testing.T) {
	l := newLab(t, config.Listen{HTTPS: "127.0.0.1:0", TURNUDP: []string{":0", "0.0.0.0:0"}})
	for _, listener := range l.Addresses().UDP {
		for _, host := range []string{"127.0.0.1", "127.0.0.2", "127.9.8.7", "::1"} {
			addr := netip.AddrPortFrom(netip.MustParseAddr(host), listener.Port())
			if addr.Addr().Is6() && listener.Addr().Is4() {
				continue
			}
			conn, err := net.Dial("udp", addr.String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := conn.Write(stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw); err != nil {
				t.Fatal(err)
			}
			_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			b := make([]byte, 1500)
			n, err := conn.Read(b)
			if err != nil {
				t.Errorf("%v: %v", addr, err)
				continue
			}
			m := new(stun.Message)
			var mapped stun.XORMappedAddress
			if err := errors.Join(stun.Decode(b[:n], m), mapped.GetFrom(m)); err != nil ||
				mapped.String() != conn.LocalAddr().String() {
				t.Errorf("%v: mapped to %v, %v; want %v", addr, mapped, err, conn.LocalAddr())
			}
		}
	}
}

// client is pion's TURN client over the given connection.
func (l *lab) client(conn net.PacketConn, server netip.AddrPort, seat string) net.PacketConn {
	l.Helper()
	c, err := l.keys.Mint(identity("a", seat, time.Now().Add(time.Hour)))
	if err != nil {
		l.Fatal(err)
	}
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	client, err := turn.NewClient(&turn.ClientConfig{
		TURNServerAddr: server.String(), Conn: conn, Username: c.Username, Password: c.Password,
		Realm: core.Realm, LoggerFactory: quiet,
	})
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() {
		client.Close()
		conn.Close()
	})
	if err := client.Listen(); err != nil {
		l.Fatal(err)
	}
	relayed, err := client.Allocate()
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { relayed.Close() })
	return relayed
}

func (l *lab) dial(transport core.Transport) (net.PacketConn, netip.AddrPort) {
	l.Helper()
	a := l.Addresses()
	var conn net.Conn
	var err error
	server := a.UDP[0]
	switch transport {
	case core.UDP:
		conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			l.Fatal(err)
		}
		return conn, server
	case core.TCP:
		server = a.TCP[0]
		conn, err = net.Dial("tcp", server.String())
	default:
		server = a.HTTPS
		conn, err = tls.Dial("tcp", server.String(), &tls.Config{InsecureSkipVerify: true})
	}
	if err != nil {
		l.Fatal(err)
	}
	return turn.NewSTUNConn(conn), server
}

// TestDataCrossesBetweenTransports with pion's client at both ends, first as Send and
// Data indications, then as ChannelData.
func TestDataCrossesBetweenTransports(t *testing.T) {
	l := newLab(t, loopback)
	transports := []core.Transport{core.UDP, core.TCP, core.TLS}
	for _, from := range transports {
		for _, to := range transports {
			t.Run(from.String()+" to "+to.String(), func(t *testing.T) {
				here := *l
				here.T = t
				conn, server := here.dial(from)
				doctor := here.client(conn, server, "doctor")
				conn, server = here.dial(to)
				patient := here.client(conn, server, "patient")
				b := make([]byte, 2000)
				// The patient's first packet only installs its permission.
				if _, err := patient.WriteTo([]byte("knock"), doctor.LocalAddr()); err != nil {
					t.Fatal(err)
				}
				for i := range 50 {
					sent := make([]byte, 8+20*i) // pion's stream client waits for nine bytes of anything
					for j := range sent {
						sent[j] = byte(i + j)
					}
					if _, err := doctor.WriteTo(sent, patient.LocalAddr()); err != nil {
						t.Fatal(err)
					}
					_ = patient.SetReadDeadline(time.Now().Add(5 * time.Second))
					n, addr, err := patient.ReadFrom(b)
					if err != nil || string(b[:n]) != string(sent) ||
						addr.String() != doctor.LocalAddr().String() {
						t.Fatalf("packet %d: %d bytes from %v, %v; want %d from %v", i, n, addr, err,
							len(sent), doctor.LocalAddr())
					}
				}
			})
		}
	}
}

// TestRevocationClosesStreams, and a reader notices at once.
func TestRevocationClosesStreams(t *testing.T) {
	l := newLab(t, loopback)
	a := l.Addresses()
	raw, err := net.Dial("tcp", a.TCP[0].String())
	if err != nil {
		t.Fatal(err)
	}
	watched := &watchedConn{Conn: raw, ended: make(chan error, 1)}
	l.client(turn.NewSTUNConn(watched), a.TCP[0], "doctor")
	if l.Allocations() != 1 {
		t.Fatalf("%d allocations", l.Allocations())
	}
	l.Revoke(id("a"), "", 0)
	select {
	case err := <-watched.ended:
		if !errors.Is(err, io.EOF) {
			t.Errorf("the stream ended with %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("the stream is still open")
	}
	if l.Allocations() != 0 {
		t.Errorf("%d allocations are left", l.Allocations())
	}
}

// watchedConn reports how reading ended.
type watchedConn struct {
	net.Conn
	ended chan error
}

func (w *watchedConn) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if err != nil {
		select {
		case w.ended <- err:
		default:
		}
	}
	return n, err
}

// TestListenBindsAllOrNothing: a failed Listen leaves no port bound.
func TestListenBindsAllOrNothing(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.LocalAddr().String()
	free.Close()
	keys, err := credential.NewKeyring([]byte("the secret of all tests"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = Listen(Options{
		Listen: config.Listen{MaxConnections: 1, MaxConnectionsPerPrefix: 1, MaxHandshakes: 1,
			HTTPS: taken.Addr().String(), TURNUDP: []string{address}},
		Relay: config.Default().Relay, Keys: keys, TLS: new(tls.Config), Now: time.Now,
	})
	if err == nil {
		t.Fatal("a taken port was bound")
	}
	again, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatalf("a failed Listen keeps a port: %v", err)
	}
	again.Close()
}
