package appliance_test

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/protocol"
)

// call makes both seats of an appointment hold an allocation; end releases them.
func call(t *testing.T, s *apptest.Served) (created adminclient.Created, servers []protocol.ICEServer,
	end func()) {
	t.Helper()
	created = s.Appoint(t, time.Now(), time.Now().Add(time.Hour))
	_, servers = s.Join(t, created.Seats)
	var held []net.PacketConn
	for _, ice := range servers {
		c, _ := apptest.TURNClient(t, ice, "udp")
		conn, err := c.Allocate()
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, conn)
	}
	return created, servers, func() {
		for _, conn := range held {
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestDrainCommand checks that drain counts calls, reports the next appointment, keeps new
// consultations out, and waits.
func TestDrainCommand(t *testing.T) {
	t.Parallel()
	s := apptest.StartServe(t, nil)
	berlin, err := appointment.LoadZone(appointment.DefaultZone)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	opens := now.Add(30 * time.Hour).Truncate(time.Minute)
	s.Appoint(t, opens, opens.Add(time.Hour))
	created, servers, end := call(t, s)
	waiting := s.Appoint(t, now, now.Add(time.Hour))
	sessions, idle := s.Join(t, waiting.Seats)

	stdout, stderr, err := apptest.Run(t, "drain", "--socket", s.Socket, "--until", "2s")
	if want := "1 call, next appointment at " + opens.In(berlin).Format("Mon 2006-01-02 15:04 MST") +
		"\n"; stdout != want {
		t.Errorf("said %q, want %q", stdout, want)
	}
	if err == nil || !strings.Contains(stderr, "still 1 call; the appliance keeps draining") {
		t.Errorf("%v, %q", err, stderr)
	}
	for i, session := range sessions {
		if seats := present(t, s, waiting.ID); seats[i] {
			t.Errorf("%s still waits", session.Welcome.Seat)
		}
	}
	until := time.Now().Add(time.Hour)
	if _, err := s.Admin.StartDrain(t.Context(), until); err != nil {
		t.Fatal(err)
	}
	if e := s.Refusal(t, waiting.Seats[1].Keys); e.Code != protocol.Maintenance || e.Until == nil ||
		!e.Until.Equal(until) {
		t.Errorf("a client that joins gets %+v", e)
	}
	stranger, _ := apptest.TURNClient(t, idle[0], "udp")
	if _, err := stranger.Allocate(); err == nil || !strings.Contains(err.Error(), "508") {
		t.Errorf("Allocate without a call: %v, want 508", err)
	}
	moved, _ := apptest.TURNClient(t, servers[1], "tcp")
	conn, err := moved.Allocate()
	if err != nil {
		t.Errorf("Allocate of a call on another network: %v", err)
	} else if err := conn.Close(); err != nil {
		t.Error(err)
	}
	s.Join(t, created.Seats[:1]) // the page is loaded again
	end()
	if stdout, stderr, err := apptest.Run(t, "drain", "--socket", s.Socket); err != nil ||
		!strings.HasPrefix(stdout, "0 calls, next appointment at ") {
		t.Errorf("without calls: %v, %q, %q", err, stdout, stderr)
	}
	if stdout, stderr, err := apptest.Run(t, "drain", "--socket", s.Socket, "--cancel"); err != nil ||
		stdout != "consultations begin again\n" {
		t.Errorf("cancelled: %v, %q, %q", err, stdout, stderr)
	}
	if _, err := stranger.Allocate(); err != nil {
		t.Errorf("Allocate after the drain: %v", err)
	}
}

// present reports which seats of an appointment are taken.
func present(t *testing.T, s *apptest.Served, id string) (present []bool) {
	t.Helper()
	a, err := s.Admin.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	for _, seat := range a.Seats {
		present = append(present, seat.Present)
	}
	return present
}

// TestStopFinishesCalls checks that SIGTERM waits for a running call, and for nothing else, and
// that the service manager learns why.
func TestStopFinishesCalls(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		timeout string // in the configuration
		how     func(t *testing.T, s *apptest.Served, end func())
		log     string
	}{
		"the call ends": {"", func(t *testing.T, _ *apptest.Served, end func()) { end() }, "stops when the last call is over"},
		"a second signal": {"", func(t *testing.T, s *apptest.Served, _ func()) {
			if err := s.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
		}, "stopped at once"},
		"the time is over": {"drain_timeout: 2s", func(*testing.T, *apptest.Served, func()) {}, "drain_timeout is over"},
	} {
		t.Run(name, func(t *testing.T) {
			file, folder := apptest.WriteConfig(t)
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			apptest.WriteFile(t, file,
				regexp.MustCompile("(?m)^drain_timeout.*$").ReplaceAllString(string(text),
					test.timeout), 0o600)
			manager := apptest.NewServiceManager(t)
			s := apptest.NewServed(folder)
			c := apptest.Program("serve", "--config", file)
			c.Env = append(c.Env, "NOTIFY_SOCKET="+manager.Path)
			s.Daemon = apptest.Start(t, c, true, s.Serving)
			created, servers, end := call(t, s)
			manager.Expect(t, "STATUS=serving")
			if err := s.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			manager.Expect(t, "STOPPING=1", "EXTEND_TIMEOUT_USEC=15000000",
				"STATUS=stops when the last call is over: 1 call")
			if test.timeout == "" {
				if stdout, stderr, err := apptest.Run(t, "drain", "--socket", s.Socket,
					"--cancel"); err == nil ||
					!strings.Contains(stderr,
						"the daemon is stopping: consultations begin again once it has started again") {
					t.Errorf("a cancel while it stops: %v, %q, %q", err, stdout, stderr)
				}
				moved, _ := apptest.TURNClient(t, servers[0], "tcp")
				if conn, err := moved.Allocate(); err != nil {
					t.Errorf("the call that runs: %v", err)
				} else if err := conn.Close(); err != nil {
					t.Error(err)
				}
				s.Join(t, created.Seats[:1])
			}
			test.how(t, s, end)
			select {
			case err := <-s.Ended:
				s.Ended <- err
			case <-time.After(20 * time.Second):
				t.Error("it is still running")
			}
			s.Stop(t)
			if log := s.Stderr.String(); !strings.Contains(log, test.log) ||
				!strings.Contains(log, "msg=stopped") {
				t.Errorf("the log: %s", log)
			}
		})
	}
}

// TestStopWithoutCallsIsAtOnce checks that a stop without calls is immediate, whatever
// drain_timeout allows.
func TestStopWithoutCallsIsAtOnce(t *testing.T) {
	t.Parallel()
	file, folder := apptest.WriteConfig(t)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	apptest.WriteFile(t, file, strings.Replace(string(text), "drain_timeout: 0s", "drain_timeout: 24h",
		1), 0o600)
	s := apptest.NewServed(folder)
	s.Daemon = apptest.Start(t, apptest.Program("serve", "--config", file), true, s.Serving)
	created := s.Appoint(t, time.Now(), time.Now().Add(time.Hour))
	_, servers := s.Join(t, created.Seats[:1])
	alone, _ := apptest.TURNClient(t, servers[0], "udp")
	if _, err := alone.Allocate(); err != nil {
		t.Fatal(err)
	}
	s.Stop(t) // within the 30 seconds that it allows
}

// TestPageUnderMaintenance checks that waiting people are informed in their language and continue
// when the maintenance is over, and that a running call continues meanwhile, even if a page is
// reloaded.
func TestPageUnderMaintenance(t *testing.T) {
	t.Parallel()
	s := apptest.StartServe(t, nil)
	var created []adminclient.Created
	for range 2 {
		one, err := s.Admin.Create(t.Context(), time.Now(), time.Now().Add(time.Hour), "")
		if err != nil {
			t.Fatal(err)
		}
		created = append(created, one)
	}
	doctor, patient := apptest.Consult(t, [2]apptest.Starter{apptest.NewChromium, apptest.NewChromium},
		created[0].Seats[0].Link, created[0].Seats[1].Link, "policy=relay", "policy=relay")
	waiting, late := apptest.NewBrowser(t, "waiting"), apptest.NewBrowser(t, "late")
	waiting.Open(t, created[1].Seats[1].Link, "")
	waiting.Join(t)
	waiting.Wait(t, apptest.IsWaiting)
	until := time.Now().Add(3 * time.Hour)
	if _, err := s.Admin.StartDrain(t.Context(), until); err != nil {
		t.Fatal(err)
	}
	says := func(b *apptest.Browser, element, language, text string) {
		t.Helper()
		b.Wait(t, fmt.Sprintf(`(() => {
			document.querySelector('[data-lang=%s]').click();
			const said = document.querySelector('%s').textContent;
			return said.includes('%s') && said.includes(new Intl.DateTimeFormat('%[1]s', { timeStyle: 'short' }).format(new Date(%[4]d)));
		})()`, language, element, text, until.UnixMilli()))
	}
	says(waiting, "#status", "en", "under maintenance, probably until")
	says(waiting, "#status", "de", "wird gewartet, voraussichtlich bis")
	late.Open(t, created[1].Seats[0].Link, "")
	late.Join(t)
	says(late, "#message", "en", "under maintenance, probably until")

	patient.Open(t, created[0].Seats[1].Link, "policy=relay")
	patient.Join(t)
	for _, b := range []*apptest.Browser{doctor, patient} {
		b.Wait(t, apptest.IsConnected)
		b.Wait(t, apptest.Flowing)
	}
	if _, err := s.Admin.EndDrain(t.Context()); err != nil {
		t.Fatal(err)
	}
	late.LetIn(t)
	waiting.Wait(t, `document.querySelector('#consultation').checkVisibility()`)
	for _, b := range []*apptest.Browser{late, waiting} {
		b.Wait(t, apptest.IsConnected)
	}
}
