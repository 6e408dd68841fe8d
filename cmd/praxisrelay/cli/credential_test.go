package cli_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/relay/credential"
	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/protocol"
)

// TestCredentialCommand checks that the credentials work for other clients, such as coturn's,
// between the seats of one appointment, for at most an hour.
func TestCredentialCommand(t *testing.T) {
	apptest.Tool(t, "turnutils_uclient", "coturn")
	t.Parallel()
	file, folder := apptest.WriteConfig(t)
	s, where := apptest.NewServed(folder), new(apptest.Listening)
	s.Daemon = apptest.Start(t, apptest.Program("serve", "--config", file), true, func(line string) bool {
		return where.Read(line) && s.Serving(line)
	})

	out, stderr, err := apptest.Run(t, "credential", "--socket", s.Socket, "--count", "3", "--json")
	var made api.MadeCredentials
	if err != nil || json.Unmarshal([]byte(out), &made) != nil || len(made.Appointments) != 3 ||
		len(made.URLs) != 3 {
		t.Fatalf("%s %s %v", out, stderr, err)
	}
	if left := time.Until(made.Expires); left > time.Hour || left < 50*time.Minute {
		t.Errorf("they expire in %v", left)
	}
	server := func(c api.TURNCredential) protocol.ICEServer {
		return protocol.ICEServer{URLs: made.URLs, Username: c.Username, Credential: c.Credential}
	}
	for _, of := range made.Appointments {
		apptest.CheckRelayed(t, "udp", server(of.Doctor), server(of.Patient))
	}
	// As a table: two columns after the seat's name.
	out, stderr, err = apptest.Run(t, "credential", "--socket", s.Socket)
	if err != nil {
		t.Fatal(stderr)
	}
	seats := 0
	for line := range strings.Lines(out) {
		if words := strings.Fields(line); words[0] == "doctor" || words[0] == "patient" {
			seats++
			said := apptest.CoturnClient(credential.Credential{Username: words[1], Password: words[2]},
				where.UDP[0], "-y", "-c")
			if !apptest.EverythingArrived(said) {
				t.Errorf("coturn's client with the %s's credential: %s", words[0], said)
			}
		}
	}
	if seats != 2 {
		t.Errorf("printed %s", out)
	}

	for _, count := range []string{"0", "-1", "10001", "many"} {
		if out, _, err := apptest.Run(t, "credential", "--socket", s.Socket,
			"--count", count); err == nil || out != "" {
			t.Errorf("--count %s printed %s", count, out)
		}
	}
	if status := s.Post(t, "/v1/credentials", api.NewCredentials{Count: 1_000_000}); status != 400 {
		t.Errorf("a million credentials were made: %d", status)
	}
	s.Stop(t)
	if log := s.Stderr.String(); !strings.Contains(log,
		`msg="TURN credentials were made" by=socket appointments=3`) ||
		strings.Contains(log, made.Appointments[0].Doctor.Username) {
		t.Errorf("the log: %s", log)
	}
}
