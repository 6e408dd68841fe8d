package appliance

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/cmd/praxisrelay/logs"
	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/config"
	"praxisrelay/signal"
	"praxisrelay/systemd"
)

// TestLimitsAreLogged checks that the log has the number of hits and, for a limit per network, the
// network's pseudonym.
func TestLimitsAreLogged(t *testing.T) {
	file, _ := apptest.WriteConfig(t)
	settings, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	settings.Relay.MaxPerPrefix = 1
	held, err := secrets.Read(settings, secrets.FromDisk, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	a, err := Listen(t.Context(), Options{Config: settings, Secrets: held,
		Sockets: new(systemd.Sockets), Now: time.Now, Log: logs.New(&text, slog.LevelInfo,
			config.Pseudonym, time.Now)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Serve(ctx) }()
	before := map[string]uint64{}
	a.logLimits(before)
	for i, wanted := range []string{"", "508", "508"} {
		ice, _, err := a.ICEServers(signal.Holder{Appointment: apptest.AppointmentID("x"), Seat: "doctor",
			Until: time.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		client, _ := apptest.TURNClient(t, ice[0], "udp")
		if _, err := client.Allocate(); (err == nil) != (wanted == "") ||
			err != nil && !strings.Contains(err.Error(), wanted) {
			t.Errorf("allocation %d: %v, want %q", i, err, wanted)
		}
	}
	for range 2 {
		conn, err := net.Dial("tcp", a.relay.Addresses().TCP[0].String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte("PROXY TCP4 203.0.113.7 192.0.2.1 40000 443\r\n")); err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Read(make([]byte, 1)) // until the connection is closed
		conn.Close()
	}
	a.logLimits(before)
	a.logLimits(before) // nothing more
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	line := regexp.MustCompile(`^time=\S+ level=WARN msg="a limit is reached" limit=relay.max_per_prefix times=2 network=net-\w{6}
time=\S+ level=WARN msg="connections are refused for their PROXY header" header=untrusted times=2 network=net-\w{6}\n$`)
	if got := text.String(); !line.MatchString(got) {
		t.Errorf("logged %s", got)
	}
}
