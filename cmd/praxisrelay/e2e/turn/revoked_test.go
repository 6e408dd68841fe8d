package turn

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/signal/client"
	"praxisrelay/signal/protocol"
)

// TestRevokedStaysRevoked checks revoked credentials at once, after a restart with a shorter
// lifetime of credentials, and after a restart with a wrong clock.
func TestRevokedStaysRevoked(t *testing.T) {
	t.Parallel()
	file, folder := apptest.WriteConfig(t)
	apptest.Edit(t, file, "relay: {", "relay: {credential_lifetime: 24h, ", "signal: {",
		"signal: {admission: none, ")
	s, where := apptest.NewServed(folder), new(apptest.Listening)
	serve := func(environment ...string) {
		t.Helper()
		if s.Daemon != nil {
			s.Stop(t)
		}
		c := apptest.Program("serve", "--config", file)
		c.Env = append(c.Env, environment...)
		s.Daemon = apptest.Start(t, c, true, func(line string) bool {
			return where.Read(line) && s.Serving(line)
		})
	}
	serve()
	withdrawn, reissued := s.Appoint(t, time.Now(), time.Now().Add(time.Hour)), s.Appoint(t, time.Now(),
		time.Now().Add(time.Hour))
	revoked := map[string]protocol.ICEServer{
		"of a revoked appointment": s.ICE(t, withdrawn.Seats[1].Keys),
		"of the first code":        s.ICE(t, reissued.Seats[0].Keys),
	}
	b, err := client.Check{Dialer: s.Dialer(t), Keys: reissued.Seats[0].Keys}.Join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	revoked["of a check with it"] = b.ICE.Servers[0]
	if err := s.Admin.Revoke(t.Context(), withdrawn.ID); err != nil {
		t.Fatal(err)
	}
	// most likely within the same second
	revoked["of the second code"] = s.ICE(t, s.Reissue(t, reissued.ID, "doctor"))
	valid := map[string]protocol.ICEServer{"of the third code": s.ICE(t, s.Reissue(t, reissued.ID, "doctor"))}
	valid["of the other seat"] = s.ICE(t, reissued.Seats[1].Keys)
	check := func(when string) {
		t.Helper()
		for whose, c := range revoked {
			if err := allocates(t, where, c); err == nil || !strings.Contains(err.Error(), "401") {
				t.Errorf("%s, the credential %s: %v, want 401", when, whose, err)
			}
		}
		for whose, c := range valid {
			if err := allocates(t, where, c); err != nil {
				t.Errorf("%s, the credential %s: %v", when, whose, err)
			}
		}
	}
	check("at once")
	apptest.Edit(t, file, "credential_lifetime: 24h", "credential_lifetime: 10m")
	serve()
	check("after a restart with a shorter lifetime")
	const ahead = 60 * time.Hour
	serve(apptest.ClockAhead + "=" + ahead.String())
	s.Appoint(t, time.Now(), time.Now().Add(ahead+time.Hour)) // its row is written after the first sweep
	serve()
	check("after a start with the clock ahead")
}

// allocates requests an allocation over UDP with a credential.
func allocates(t *testing.T, l *apptest.Listening, c protocol.ICEServer) error {
	t.Helper()
	c.URLs = []string{"turn:" + l.UDP[0] + "?transport=udp"}
	client, _ := apptest.TURNClient(t, c, "udp")
	conn, err := client.Allocate()
	if err == nil {
		conn.Close()
	}
	return err
}

// TestANodeWithTheSecretKnowsCredentials checks that a node accepts credentials made by another
// node with the same secret, and no others.
func TestANodeWithTheSecretKnowsCredentials(t *testing.T) {
	t.Parallel()
	serve := func(secret string) (*apptest.Served, *apptest.Listening, string) {
		file, folder := apptest.WriteConfig(t)
		if secret != "" {
			text, err := os.ReadFile(secret)
			if err == nil {
				err = os.WriteFile(filepath.Join(folder, "turn.secret"), text, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		s, where := apptest.NewServed(folder), new(apptest.Listening)
		s.Daemon = apptest.Start(t, apptest.Program("serve", "--config", file), true, func(line string) bool {
			return where.Read(line) && s.Serving(line)
		})
		return s, where, filepath.Join(folder, "turn.secret")
	}
	first, _, secret := serve("")
	_, second, _ := serve(secret)
	_, stranger, _ := serve("")
	created := first.Appoint(t, time.Now(), time.Now().Add(time.Hour))
	_, servers := first.Join(t, created.Seats)
	for i := range servers {
		servers[i].URLs = []string{"turn:" + second.UDP[0] + "?transport=udp"}
	}
	apptest.CheckRelayed(t, "udp", servers[0], servers[1])
	if err := allocates(t, stranger, servers[0]); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("a node with another secret: %v, want 401", err)
	}
}
