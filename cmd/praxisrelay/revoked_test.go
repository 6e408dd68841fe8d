package main

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pion/turn/v4"

	"praxisrelay/relay/credential"
	"praxisrelay/signal"
	"praxisrelay/signal/client"
	"praxisrelay/signal/protocol"
)

// TestRevokedStaysRevoked: at once, after a restart with a shorter lifetime of
// credentials, and after one whose clock was wrong.
func TestRevokedStaysRevoked(t *testing.T) {
	t.Parallel()
	file, folder := writeConfig(t)
	edit(t, file, "relay: {", "relay: {credential_lifetime: 24h, ", "signal: {", "signal: {admission: none, ")
	s, where := newServed(folder), new(listening)
	serve := func(environment ...string) {
		t.Helper()
		if s.daemon != nil {
			s.stop(t)
		}
		c := program("serve", "--config", file)
		c.Env = append(c.Env, environment...)
		s.daemon = start(t, c, true, func(line string) bool { return where.read(line) && s.serving(line) })
	}
	serve()
	withdrawn, reissued := s.appoint(t, time.Now(), time.Now().Add(time.Hour)), s.appoint(t, time.Now(), time.Now().Add(time.Hour))
	revoked := map[string]protocol.ICEServer{
		"of a revoked appointment": s.ice(t, withdrawn.Seats[1].Keys),
		"of the first code":        s.ice(t, reissued.Seats[0].Keys),
	}
	b, err := client.Check{Dialer: s.dialer(t), Keys: reissued.Seats[0].Keys}.Join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	revoked["of a check with it"] = b.ICE.Servers[0]
	if err := s.admin.Revoke(t.Context(), withdrawn.ID); err != nil {
		t.Fatal(err)
	}
	revoked["of the second code"] = s.ice(t, s.reissue(t, reissued.ID, "doctor")) // within one second, most likely
	valid := map[string]protocol.ICEServer{"of the third code": s.ice(t, s.reissue(t, reissued.ID, "doctor"))}
	valid["of the other seat"] = s.ice(t, reissued.Seats[1].Keys)
	check := func(when string) {
		t.Helper()
		for whose, c := range revoked {
			if err := where.allocates(t, c); err == nil || !strings.Contains(err.Error(), "401") {
				t.Errorf("%s, the credential %s: %v, want 401", when, whose, err)
			}
		}
		for whose, c := range valid {
			if err := where.allocates(t, c); err != nil {
				t.Errorf("%s, the credential %s: %v", when, whose, err)
			}
		}
	}
	check("at once")
	edit(t, file, "credential_lifetime: 24h", "credential_lifetime: 10m")
	serve()
	check("after a restart with a shorter lifetime")
	const ahead = 60 * time.Hour
	serve(clockAhead + "=" + ahead.String())
	s.appoint(t, time.Now(), time.Now().Add(ahead+time.Hour)) // its row is written behind the first sweep
	serve()
	check("after a start with the clock ahead")
}

// allocates asks a relay over UDP for an allocation with somebody's credential.
func (l *listening) allocates(t *testing.T, c protocol.ICEServer) error {
	t.Helper()
	c.URLs = []string{"turn:" + l.udp[0] + "?transport=udp"}
	client, _ := turnClient(t, c, "udp")
	conn, err := client.Allocate()
	if err == nil {
		conn.Close()
	}
	return err
}

// TestCredentialsEndInTime: none outlives its holder, whose revocation nobody remembers
// then, whatever the configuration says.
func TestCredentialsEndInTime(t *testing.T) {
	t.Parallel()
	a := bound(t)
	a.lifetime.Store(int64(24 * time.Hour))
	for _, test := range []struct {
		seat        string
		until, want time.Duration
	}{
		{"doctor", 48 * time.Hour, 24 * time.Hour}, {"doctor", time.Hour, time.Hour}, {"doctor", -time.Hour, -time.Hour},
		{"test", 48 * time.Hour, credential.TestLifetime}, {"test", time.Minute, time.Minute},
	} {
		now := time.Now()
		c, err := a.mint(signal.Holder{Appointment: idOf("x"), Seat: test.seat, Until: now.Add(test.until)})
		if late := c.Expires.Sub(now.Add(test.want)); err != nil || late < -time.Second || late > 10*time.Second {
			t.Errorf("the %s's, who may have it for %v: it expires %v later than wanted, %v", test.seat, test.until, late, err)
		}
	}
}

// TestANodeWithTheSecretKnowsCredentials that another one made, and no other does.
func TestANodeWithTheSecretKnowsCredentials(t *testing.T) {
	t.Parallel()
	serve := func(secret string) (*served, *listening, string) {
		file, folder := writeConfig(t)
		if secret != "" {
			text, err := os.ReadFile(secret)
			if err == nil {
				err = os.WriteFile(filepath.Join(folder, "turn.secret"), text, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		s, where := newServed(folder), new(listening)
		s.daemon = start(t, program("serve", "--config", file), true, func(line string) bool { return where.read(line) && s.serving(line) })
		return s, where, filepath.Join(folder, "turn.secret")
	}
	first, _, secret := serve("")
	_, second, _ := serve(secret)
	_, stranger, _ := serve("")
	created := first.appoint(t, time.Now(), time.Now().Add(time.Hour))
	_, servers := first.join(t, created.Seats)
	for i := range servers {
		servers[i].URLs = []string{"turn:" + second.udp[0] + "?transport=udp"}
	}
	relays(t, "udp", servers[0], servers[1])
	if err := stranger.allocates(t, servers[0]); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("a node with another secret: %v, want 401", err)
	}
}

// relays sends something from one seat to the other, through the relay.
func relays(t *testing.T, transport string, doctor, patient protocol.ICEServer) {
	t.Helper()
	var clients [2]*turn.Client
	var conns [2]net.PacketConn
	for i, c := range []protocol.ICEServer{doctor, patient} {
		var err error
		clients[i], _ = turnClient(t, c, transport)
		if conns[i], err = clients[i].Allocate(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range clients {
		if err := clients[i].CreatePermission(conns[1-i].LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	says(t, conns[0], conns[1].LocalAddr(), voice) // a datagram may be lost
	buf := make([]byte, 2000)
	_ = conns[1].SetReadDeadline(time.Now().Add(20 * time.Second))
	if n, _, err := conns[1].ReadFrom(buf); err != nil || !bytes.Equal(buf[:n], voice) {
		t.Fatalf("%x arrived, %v", buf[:n], err)
	}
}
