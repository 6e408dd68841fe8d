package turn

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/turn/v4"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/client"
	"praxisrelay/signal/protocol"
)

// behind is a participant on a host.
type behind struct {
	*testing.T
	host string
	ip   string // the host's address
	ice  protocol.ICEServer
}

// dialer reaches the guarded appliance from the participant's host.
func (b *behind) dialer() client.Dialer {
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return apptest.OnHost(b.host, func() (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, apptest.Guarded[0]+":443")
		})
	}
	transport := &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	b.Cleanup(transport.CloseIdleConnections)
	return client.Dialer{HTTP: &http.Client{Transport: transport}, Server: "https://" + apptest.Guarded[0]}
}

// place tries to make an allocation over UDP, TCP or TLS.
func (b *behind) place(transport string) (*turn.Client, net.PacketConn, error) {
	b.Helper()
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	config := &turn.ClientConfig{
		TURNServerAddr: apptest.Guarded[0] + ":3478", Username: b.ice.Username,
		Password: b.ice.Credential, LoggerFactory: quiet,
	}
	var err error
	if transport == "udp" {
		config.RTO = 50 * time.Millisecond // seven attempts with growing pauses
		config.Conn, err = apptest.OnHost(b.host, func() (net.PacketConn, error) {
			return net.ListenPacket("udp4", b.ip+":0")
		})
	} else {
		port := map[string]string{"tcp": ":3478", "tls": ":443"}[transport]
		var conn net.Conn
		conn, err = apptest.OnHost(b.host, func() (net.Conn, error) {
			return net.DialTimeout("tcp", apptest.Guarded[0]+port, 2*time.Second)
		})
		if err != nil {
			return nil, nil, err
		}
		if transport == "tls" {
			conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
		}
		config.Conn = turn.NewSTUNConn(conn)
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { config.Conn.Close() })
	c, err := turn.NewClient(config)
	if err == nil {
		err = c.Listen()
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	relayed, err := c.Allocate()
	return c, relayed, err
}

// TestFirewallsAreExplained checks that the effect of a real firewall at the patient's is
// recognized from what it lets through.
func TestFirewallsAreExplained(t *testing.T) {
	t.Parallel()
	nft := apptest.Tool(t, "nft", "nftables")
	h, folder, _ := apptest.Guard(t)
	s := apptest.NewServed(folder)
	// The practice is on the appliance's host, the patient on the other.
	firewall := func(t *testing.T, rules ...string) {
		t.Helper()
		script := "flush ruleset\ntable inet praxis {\nchain out { type filter hook output priority 0; policy accept; }\n" +
			"chain in { type filter hook input priority 0; policy accept; }\n}\n"
		for _, rule := range rules {
			script += "add rule inet praxis " + rule + "\n"
		}
		c := h.On(1, exec.Command(nft, "-f", "-"))
		c.Stdin = strings.NewReader(script)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	call := func(t *testing.T) (c *staged, doctor, patient *behind) {
		t.Helper()
		firewall(t)
		c = stage(t, s, folder, strings.ReplaceAll(t.Name(), "/", "-"), time.Now())
		sides := []*behind{{T: t, host: h[0], ip: apptest.Guarded[0]},
			{T: t, host: h[1], ip: apptest.Outside[0]}}
		for i, seat := range []adminclient.CreatedSeat{c.doctor, c.patient} {
			session, err := sides[i].dialer().JoinWithKeys(t.Context(), seat.Keys)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { session.Close() })
			c.sessions = append(c.sessions, session)
			c.sessions[0].Admit(protocol.Present{Seat: seat.Name, Epoch: session.Epoch()})
			ice, err := session.WaitICE(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			sides[i].ice = ice.Servers[0]
		}
		return c, sides[0], sides[1]
	}
	both := func(doctor, patient *behind) (ways [2]net.PacketConn) {
		var clients [2]*turn.Client
		for i, b := range []*behind{doctor, patient} {
			var err error
			if clients[i], ways[i], err = b.place("udp"); err != nil {
				b.Fatal(err)
			}
		}
		for i, c := range clients {
			if err := c.CreatePermission(ways[1-i].LocalAddr()); err != nil {
				doctor.Fatal(err)
			}
		}
		return ways
	}

	t.Run("only the web", func(t *testing.T) {
		c, doctor, patient := call(t)
		if _, _, err := doctor.place("tls"); err != nil {
			t.Fatal(err)
		}
		firewall(t, "out udp dport != 53 drop", "out tcp dport { 3478, 5349 } reject with tcp reset",
			"out tcp dport 443 ct state new drop")
		for _, transport := range []string{"udp", "tcp", "tls"} {
			if _, _, err := patient.place(transport); err == nil {
				t.Fatalf("%s passes the firewall", transport)
			}
		}
		c.explained(failure{"blocked", "patient", "patient", "lets nothing through to the relay",
			"lässt nichts zum Relay durch", nil})
	})
	t.Run("only the handshake", func(t *testing.T) {
		c, doctor, patient := call(t)
		ways := both(doctor, patient)
		firewall(t, "out udp dport 3478 drop")
		apptest.KeepSending(t, ways[0], ways[1].LocalAddr(), apptest.ConnectivityCheck)
		apptest.KeepSending(t, ways[1], ways[0].LocalAddr(), apptest.ConnectivityCheck)
		c.explained(failure{"mute", "patient", "patient", "drops what follows", "verwirft, was folgt", nil})
	})
	t.Run("only outgoing", func(t *testing.T) {
		c, doctor, patient := call(t)
		ways := both(doctor, patient)
		// pion requests a permission by itself
		if _, err := ways[1].WriteTo(apptest.ConnectivityCheck, ways[0].LocalAddr()); err != nil {
			t.Fatal(err)
		}
		firewall(t, "in udp sport 3478 drop")
		apptest.KeepSending(t, ways[0], ways[1].LocalAddr(), apptest.ConnectivityCheck)
		apptest.KeepSending(t, ways[1], ways[0].LocalAddr(), apptest.ConnectivityCheck)
		for i, other := range ways {
			go answerChecks(ways[1-i], other.LocalAddr())
		}
		c.explained(failure{"deaf", "patient", "patient", "lets them out and not in",
			"lässt hinaus, aber nicht herein", nil})
	})
	t.Run("nothing any more", func(t *testing.T) {
		c, doctor, patient := call(t)
		ways := both(doctor, patient)
		apptest.KeepSending(t, ways[0], ways[1].LocalAddr(), apptest.Voice)
		apptest.KeepSending(t, ways[1], ways[0].LocalAddr(), apptest.Voice)
		c.explained(failure{"healthy", "nobody", "", "The call works", "Das Gespräch läuft", nil})
		firewall(t, "out udp dport 3478 drop")
		c.explained(failure{"stopped", "patient", "patient", "nothing comes from the patient any more",
			"kommt von der Patientenseite nichts mehr", nil})
	})
}

// answerChecks answers ICE checks until the connection is closed.
func answerChecks(at net.PacketConn, to net.Addr) {
	for buf := make([]byte, 2000); ; {
		n, _, err := at.ReadFrom(buf)
		if err != nil {
			return
		}
		if n == len(apptest.ConnectivityCheck) && buf[0] == 0 {
			_, _ = at.WriteTo(apptest.CheckAnswer, to)
		}
	}
}
