package turn

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/signal/protocol"
)

// TestSecretsRotateWithoutARestart checks that a new first secret signs, that the old one verifies
// while it is configured, and that a mistake changes nothing.
func TestSecretsRotateWithoutARestart(t *testing.T) {
	s := apptest.StartServe(t, nil)
	folder := filepath.Dir(s.CA)
	file, secret := filepath.Join(folder, "praxisrelay.yaml"), filepath.Join(folder, "turn.secret")
	created := s.Appoint(t, time.Now(), time.Now().Add(time.Hour))
	mint := func() protocol.ICEServer {
		_, servers := s.Join(t, created.Seats[:1])
		return servers[0]
	}
	allocate := func(ice protocol.ICEServer) error {
		c, _ := apptest.TURNClient(t, ice, "udp")
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
	// until waits for evidence that a reload has happened.
	until := func(what string, done func() bool) {
		for deadline := time.Now().Add(20 * time.Second); !done(); {
			if time.Now().After(deadline) {
				t.Fatalf("%s: not in time", what)
			}
		}
	}

	old := mint()
	running, _ := apptest.TURNClient(t, old, "udp")
	conn, err := running.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	write(secret+".new", "the new secret of this appliance\n")
	reload(fmt.Sprintf("[%s.new, %s]", secret, secret))
	// The old secret stops signing: the user name shows the form of the credential.
	until("the new secret signs", func() bool {
		ice := mint()
		return ice.Credential != apptest.PasswordOf(t, secret, ice.Username)
	})
	for name, ice := range map[string]protocol.ICEServer{"old": old, "new": mint()} {
		if err := allocate(ice); err != nil {
			t.Errorf("with both secrets, the %s credential: %v", name, err)
		}
	}
	if err := running.CreatePermission(conn.LocalAddr()); err != nil {
		t.Errorf("the running call: %v", err)
	}

	reload("[/nowhere]") // a mistake; the next steps show that it changed nothing
	if err := allocate(mint()); err != nil {
		t.Errorf("after a failed reload: %v", err)
	}
	reload(fmt.Sprintf("[%s.new]", secret))
	until("the old secret is gone", func() bool { return allocate(old) != nil })
	if err := allocate(mint()); err != nil {
		t.Errorf("the new credential: %v", err)
	}
	s.Stop(t)
	if log := s.Stderr.String(); !strings.Contains(log, "not reloaded") ||
		!strings.Contains(log, "/nowhere does not exist") ||
		strings.Contains(log, "the new secret") {
		t.Errorf("the log: %s", log)
	}
}

// TestCallComesBackWhenTheNATForgets gives a client another source port during a call, so that the
// relay no longer recognizes it. The page restarts ICE.
func TestCallComesBackWhenTheNATForgets(t *testing.T) {
	info, _ := apptest.StartDemo(t)
	nat := newNAT(t, info.TURNUDP)
	doctor, patient := apptest.NewChromium(t, "", "doctor"), apptest.NewFirefox(t, "", "patient")
	// The patient's page reaches the relay through the NAT.
	patient.Prepend(t, fmt.Sprintf(`{
		const through = (c) => ({...c, iceServers: c?.iceServers?.map((s) => ({...s, urls: [s.urls].flat().map((u) => u.replace(%q, %q))}))});
		window.RTCPeerConnection = class extends RTCPeerConnection {
			constructor(c) { super(through(c)); }
			setConfiguration(c) { super.setConfiguration(through(c)); }
		};
	}`, info.TURNUDP, nat.inside.LocalAddr()))
	for _, b := range []*apptest.Browser{doctor, patient} {
		b.Open(t, map[*apptest.Browser]string{doctor: info.Doctor.Link, patient: info.Patient.Link}[b],
			"policy=relay&transport=udp")
	}
	apptest.Meet(t, doctor, patient)
	for range 2 {
		nat.forget() // later packets come from another port
		for _, b := range []*apptest.Browser{doctor, patient} {
			b.WaitForFrames(t, 60) // more than was in transit
			b.Wait(t, apptest.IsConnected)
		}
	}
	if nat.flows() == 0 {
		t.Error("nothing went through the NAT")
	}
}

// nat is a UDP port translation in front of a server.
type nat struct {
	server string
	inside net.PacketConn

	mu      sync.Mutex
	outside map[string]net.Conn // by client's address
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

// translate returns the client's socket outside, and makes one if there is none.
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

// forget drops all translations.
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
