package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/stun/v3"
	"github.com/pion/turn/v4"

	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/config"
	"praxisrelay/relay"
	"praxisrelay/relay/certificate"
	"praxisrelay/relay/credential"
	"praxisrelay/signal/client"
	"praxisrelay/signal/protocol"
)

// passwordOf is a user name's password under the secret in a file.
func passwordOf(t *testing.T, file, username string) string {
	t.Helper()
	secret, err := secrets.ReadSecret("secret", file, credential.MinSecret, secrets.FromDisk)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha1.New, secret)
	mac.Write([]byte(username))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// turnClient is pion's, with a server's first URL of the wanted transport: udp, tcp or tls.
func turnClient(t *testing.T, ice protocol.ICEServer, transport string) (*turn.Client, net.Conn) {
	t.Helper()
	var server string
	for _, url := range ice.URLs {
		scheme, query := "turn:", transport
		if transport == "tls" {
			scheme, query = "turns:", "tcp"
		}
		if rest, ok := strings.CutSuffix(url, "?transport="+query); ok && strings.HasPrefix(url, scheme) {
			server = strings.TrimPrefix(rest, scheme)
		}
	}
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	config := &turn.ClientConfig{
		TURNServerAddr: server, Username: ice.Username, Password: ice.Credential, LoggerFactory: quiet,
	}
	var stream net.Conn
	if transport == "udp" {
		conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		config.Conn = conn
	} else {
		conn, err := net.Dial("tcp", server)
		if err == nil && transport == "tls" {
			conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		stream = &endedConn{Conn: conn, ended: make(chan struct{})}
		config.Conn = turn.NewSTUNConn(stream)
	}
	c, err := turn.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if err := c.Listen(); err != nil {
		t.Fatal(err)
	}
	return c, stream
}

// endedConn tells when reading has ended.
type endedConn struct {
	net.Conn
	once  sync.Once
	ended chan struct{}
}

func (c *endedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		c.once.Do(func() { close(c.ended) })
	}
	return n, err
}

// TestRevocationTakesLessThanASecond: allocations end, streams are closed, both seats
// are told, and the credentials open nothing any more.
func TestRevocationTakesLessThanASecond(t *testing.T) {
	s := startServe(t, nil)
	// Each returns when its time begins; a program's start is not the relay's time.
	for name, revoke := range map[string]func(id string) (time.Time, error){
		"the admin socket": func(id string) (time.Time, error) { return time.Now(), s.admin.Revoke(t.Context(), id) },
		"the command": func(id string) (time.Time, error) {
			_, stderr, err := run(t, "code", "revoke", "--socket", s.socket, id)
			if err != nil {
				err = fmt.Errorf("%w: %s", err, stderr)
			}
			return time.Now(), err
		},
	} {
		t.Run(name, func(t *testing.T) { testRevocation(t, s, revoke) })
	}
}

func testRevocation(t *testing.T, s *served, revoke func(id string) (time.Time, error)) {
	created := s.appoint(t, time.Now(), time.Now().Add(time.Hour))
	type seat struct {
		session *client.Session
		streams []*endedConn
		udp     *turn.Client
		relayed net.Addr
	}
	var seats []seat
	sessions, servers := s.join(t, created.Seats)
	for i, session := range sessions {
		ice := servers[i]
		overUDP, _ := turnClient(t, ice, "udp")
		var streams []*endedConn
		for _, transport := range []string{"tcp", "tls"} {
			overStream, stream := turnClient(t, ice, transport)
			if _, err := overStream.Allocate(); err != nil {
				t.Fatal(err)
			}
			streams = append(streams, stream.(*endedConn))
		}
		relayed, err := overUDP.Allocate()
		if err != nil {
			t.Fatal(err)
		}
		seats = append(seats, seat{session, streams, overUDP, relayed.LocalAddr()})
	}
	began, err := revoke(created.ID)
	if err != nil {
		t.Fatal(err)
	}
	for i, seat := range seats {
		for _, stream := range seat.streams {
			select {
			case <-stream.ended:
			case <-time.After(5 * time.Second):
				t.Fatalf("seat %d: its stream is open", i)
			}
		}
		for {
			if _, err = seat.session.Receive(t.Context()); err != nil {
				break
			}
		}
		if refused := new(protocol.Error); !errors.As(err, &refused) || refused.Code != "revoked" {
			t.Errorf("seat %d was told %v", i, err)
		}
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v", took)
	} else {
		t.Logf("it took %v", took)
	}
	again, _ := turnClient(t, servers[0], "udp")
	if _, err := again.Allocate(); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("Allocate with a revoked credential: %v, want 401", err)
	}
	// A permission needs the allocation, which is gone.
	if err := seats[0].udp.CreatePermission(seats[1].relayed); err == nil {
		t.Error("an allocation outlived its revocation")
	}
}

// TestSecretsRotateWithoutARestart: a new first secret signs, the old one verifies while
// it is named, and a mistake changes nothing.
func TestSecretsRotateWithoutARestart(t *testing.T) {
	s := startServe(t, nil)
	folder := filepath.Dir(s.ca)
	file, secret := filepath.Join(folder, "praxisrelay.yaml"), filepath.Join(folder, "turn.secret")
	created := s.appoint(t, time.Now(), time.Now().Add(time.Hour))
	mint := func() protocol.ICEServer {
		_, servers := s.join(t, created.Seats[:1])
		return servers[0]
	}
	allocate := func(ice protocol.ICEServer) error {
		c, _ := turnClient(t, ice, "udp")
		_, err := c.Allocate()
		return err
	}
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	reload := func(files string) {
		write(file, strings.Replace(string(config), "["+secret+"]", files, 1))
		if err := s.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	// until waits for what shows that a reload has happened.
	until := func(what string, done func() bool) {
		for deadline := time.Now().Add(20 * time.Second); !done(); {
			if time.Now().After(deadline) {
				t.Fatalf("%s: not in time", what)
			}
		}
	}

	old := mint()
	running, _ := turnClient(t, old, "udp")
	conn, err := running.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	write(secret+".new", "the new secret of this appliance\n")
	reload(fmt.Sprintf("[%s.new, %s]", secret, secret))
	// The old secret stops signing: its form of the credential is known by the user name.
	until("the new secret signs", func() bool {
		ice := mint()
		return ice.Credential != passwordOf(t, secret, ice.Username)
	})
	for name, ice := range map[string]protocol.ICEServer{"old": old, "new": mint()} {
		if err := allocate(ice); err != nil {
			t.Errorf("with both secrets, the %s credential: %v", name, err)
		}
	}
	if err := running.CreatePermission(conn.LocalAddr()); err != nil {
		t.Errorf("the call that runs: %v", err)
	}

	reload("[/nowhere]") // a mistake; what follows shows that it changed nothing
	if err := allocate(mint()); err != nil {
		t.Errorf("after a reload that failed: %v", err)
	}
	reload(fmt.Sprintf("[%s.new]", secret))
	until("the old secret is gone", func() bool { return allocate(old) != nil })
	if err := allocate(mint()); err != nil {
		t.Errorf("the new credential: %v", err)
	}
	s.stop(t)
	if log := s.stderr.String(); !strings.Contains(log, "not reloaded") || !strings.Contains(log, "/nowhere does not exist") ||
		strings.Contains(log, "the new secret") {
		t.Errorf("the log: %s", log)
	}
}

// TestTLSIsWhatItShouldBe: TR-02102-2's versions and ciphers, the hybrid key exchange,
// and tickets that do not outlive their keys.
func TestTLSIsWhatItShouldBe(t *testing.T) {
	held, err := secrets.New(loopback)
	if err != nil {
		t.Fatal(err)
	}
	now := atomic.Pointer[time.Time]{}
	start := time.Now()
	now.Store(&start)
	pair := certificate.NewStore(loopback, time.Now, slog.New(slog.DiscardHandler))
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
		c.ServerName = "demo" // sessions are remembered by it
		conn, err := tls.Dial("tcp", listener.Addr().String(), c)
		if err != nil {
			return tls.ConnectionState{}, err
		}
		defer conn.Close()
		// A ticket comes with the first bytes.
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
	if state, err := dial(&tls.Config{MaxVersion: tls.VersionTLS12}); err != nil || !strings.Contains(tls.CipherSuiteName(state.CipherSuite), "ECDHE_ECDSA_WITH_AES_128_GCM") {
		t.Errorf("TLS 1.2: %s, %v", tls.CipherSuiteName(state.CipherSuite), err)
	}
	state, err := dial(&tls.Config{CurvePreferences: []tls.CurveID{tls.X25519MLKEM768}})
	if err != nil || state.Version != tls.VersionTLS13 || state.CurveID != tls.X25519MLKEM768 {
		t.Errorf("a client with the hybrid key exchange alone: %v, %v", state.CurveID, err)
	}
	// Both ports of a relay begin with the keys that these settings have made by now.
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
			state, err := askOverTLS(ports[port], &tls.Config{MaxVersion: version, ClientSessionCache: cache})
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
				t.Errorf("%s: %s: resumed %v, want %v", tls.VersionName(version), step.what, got, step.resumes)
			}
		}
		at(0)
	}
	if state, err := askOverTLS(listenRelay(t, settings).TLS[0], &tls.Config{}); err != nil || state.CurveID != tls.X25519MLKEM768 {
		t.Errorf("a client with the library's defaults: %v, %v; want the hybrid key exchange", state.CurveID, err)
	}
}

// listenRelay runs a relay with the given settings of TLS.
func listenRelay(t *testing.T, settings *tls.Config) relay.Addresses {
	t.Helper()
	keys, err := credential.NewKeyring([]byte("the secret of this test"))
	if err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.Listen.HTTPS, c.Listen.TURNUDP, c.Listen.TURNTCP, c.Listen.TURNTLS = "127.0.0.1:0", []string{"127.0.0.1:0"}, nil, []string{"127.0.0.1:0"}
	r, err := relay.Listen(relay.Options{Listen: c.Listen, Relay: c.Relay, Keys: keys, TLS: settings, Now: time.Now})
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

// askOverTLS asks a Binding request over a new connection. A ticket comes with the answer.
func askOverTLS(address netip.AddrPort, c *tls.Config) (tls.ConnectionState, error) {
	c.InsecureSkipVerify, c.ServerName = true, "demo" // sessions are remembered by it
	conn, err := tls.Dial("tcp", address.String(), c)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	if _, err := conn.Write(stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw); err != nil {
		return tls.ConnectionState{}, err
	}
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	_, err = conn.Read(make([]byte, 100))
	return conn.ConnectionState(), err
}

// TestCallComesBackWhenTheNATForgets: a client's NAT gives it another source port in
// mid-call, so that the relay does not know it any more. The page restarts ICE.
func TestCallComesBackWhenTheNATForgets(t *testing.T) {
	info, _ := startDemo(t)
	nat := newNAT(t, info.TURNUDP)
	doctor, patient := newChromium(t, "", "doctor"), newFirefox(t, "", "patient")
	// The patient's page reaches the relay through the NAT.
	patient.prepend(t, fmt.Sprintf(`{
		const through = (c) => ({...c, iceServers: c?.iceServers?.map((s) => ({...s, urls: [s.urls].flat().map((u) => u.replace(%q, %q))}))});
		window.RTCPeerConnection = class extends RTCPeerConnection {
			constructor(c) { super(through(c)); }
			setConfiguration(c) { super.setConfiguration(through(c)); }
		};
	}`, info.TURNUDP, nat.inside.LocalAddr()))
	for _, b := range []*browser{doctor, patient} {
		b.open(t, map[*browser]string{doctor: info.Doctor.Link, patient: info.Patient.Link}[b], "policy=relay&transport=udp")
	}
	meet(t, doctor, patient)
	for range 2 {
		nat.forget() // whatever comes from here on comes from another port
		for _, b := range []*browser{doctor, patient} {
			b.arriving(t, 60) // more than was under way
			b.wait(t, isConnected)
		}
	}
	if nat.flows() == 0 {
		t.Error("nothing went through the NAT")
	}
}

// nat is a UDP port translation in front of one server.
type nat struct {
	server string
	inside net.PacketConn

	mu      sync.Mutex
	outside map[string]net.Conn // client's address -> its port outside
}

func newNAT(t *testing.T, server string) *nat {
	t.Helper()
	inside, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &nat{server: server, inside: inside, outside: map[string]net.Conn{}}
	t.Cleanup(func() {
		inside.Close()
		n.forget()
	})
	go func() {
		b := make([]byte, 4096)
		for {
			size, client, err := inside.ReadFrom(b)
			if err != nil {
				return
			}
			if conn := n.translate(client); conn != nil {
				_, _ = conn.Write(b[:size])
			}
		}
	}()
	return n
}

// translate returns the client's socket outside, a new one if the NAT knows none.
func (n *nat) translate(client net.Addr) net.Conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	if conn := n.outside[client.String()]; conn != nil {
		return conn
	}
	conn, err := net.Dial("udp4", n.server)
	if err != nil {
		return nil
	}
	n.outside[client.String()] = conn
	go func() {
		b := make([]byte, 4096)
		for {
			size, err := conn.Read(b)
			if err != nil {
				return
			}
			_, _ = n.inside.WriteTo(b[:size], client)
		}
	}()
	return conn
}

// forget drops every translation.
func (n *nat) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for client, conn := range n.outside {
		conn.Close()
		delete(n.outside, client)
	}
}

func (n *nat) flows() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.outside)
}
