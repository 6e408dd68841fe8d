package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"praxisrelay/signal/appointment"
	"praxisrelay/signal/client"
	"praxisrelay/signal/protocol"
)

// call makes both seats of an appointment hold an allocation; end gives them back.
func (s *served) call(t *testing.T) (created client.Created, servers []protocol.ICEServer, end func()) {
	t.Helper()
	created = s.appoint(t, time.Now(), time.Now().Add(time.Hour))
	_, servers = s.join(t, created.Seats)
	var held []net.PacketConn
	for _, ice := range servers {
		c, _ := turnClient(t, ice, "udp")
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

// TestDrainCommand: it counts calls, tells the next appointment, refuses others and waits.
func TestDrainCommand(t *testing.T) {
	t.Parallel()
	s := startServe(t, nil)
	berlin, err := appointment.LoadZone(appointment.DefaultZone)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	opens := now.Add(30 * time.Hour).Truncate(time.Minute)
	s.appoint(t, opens, opens.Add(time.Hour))
	created, servers, end := s.call(t)
	waiting := s.appoint(t, now, now.Add(time.Hour))
	sessions, idle := s.join(t, waiting.Seats)

	stdout, stderr, err := run(t, "drain", "--socket", s.socket, "--until", "2s")
	if want := "1 call, next appointment at " + opens.In(berlin).Format("Mon 2006-01-02 15:04 MST") + "\n"; stdout != want {
		t.Errorf("said %q, want %q", stdout, want)
	}
	if err == nil || !strings.Contains(stderr, "still 1 call; the appliance goes on draining") {
		t.Errorf("%v, %q", err, stderr)
	}
	for i, session := range sessions {
		if seats := s.present(t, waiting.ID); seats[i] {
			t.Errorf("%s still waits", session.Welcome.Seat)
		}
	}
	until := time.Now().Add(time.Hour)
	if _, err := s.admin.StartDrain(t.Context(), until); err != nil {
		t.Fatal(err)
	}
	if e := s.refusal(t, waiting.Seats[1].Keys); e.Code != protocol.Maintenance || e.Until == nil || !e.Until.Equal(until) {
		t.Errorf("who joins is told %+v", e)
	}
	stranger, _ := turnClient(t, idle[0], "udp")
	if _, err := stranger.Allocate(); err == nil || !strings.Contains(err.Error(), "508") {
		t.Errorf("Allocate without a call: %v, want 508", err)
	}
	moved, _ := turnClient(t, servers[1], "tcp")
	conn, err := moved.Allocate()
	if err != nil {
		t.Errorf("Allocate of a call on another network: %v", err)
	} else if err := conn.Close(); err != nil {
		t.Error(err)
	}
	s.join(t, created.Seats[:1]) // the page is loaded again
	end()
	if stdout, stderr, err := run(t, "drain", "--socket", s.socket); err != nil || !strings.HasPrefix(stdout, "no call, next appointment at ") {
		t.Errorf("without calls: %v, %q, %q", err, stdout, stderr)
	}
	if stdout, stderr, err := run(t, "drain", "--socket", s.socket, "--cancel"); err != nil || stdout != "consultations begin again\n" {
		t.Errorf("cancelled: %v, %q, %q", err, stdout, stderr)
	}
	if _, err := stranger.Allocate(); err != nil {
		t.Errorf("Allocate after the drain: %v", err)
	}
}

// present tells which seats of an appointment are held.
func (s *served) present(t *testing.T, id string) (present []bool) {
	t.Helper()
	a, err := s.admin.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	for _, seat := range a.Seats {
		present = append(present, seat.Present)
	}
	return present
}

func TestWhenADrainIsOver(t *testing.T) {
	berlin, err := appointment.LoadZone(appointment.DefaultZone)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 10, 24, 14, 0, 0, 0, berlin) // the clocks are set back in the night
	for text, want := range map[string]string{
		"":                     "0001-01-01T00:00:00Z",
		"30m":                  "2026-10-24T14:30:00+02:00",
		"14:20":                "2026-10-24T14:20:00+02:00",
		"14:00":                "2026-10-25T14:00:00+01:00",
		"07:30":                "2026-10-25T07:30:00+01:00",
		"2026-12-01 10:00":     "2026-12-01T10:00:00+01:00",
		"2026-12-01T10:00:00Z": "2026-12-01T11:00:00+01:00",
	} {
		if got, err := readUntil(text, now, berlin); err != nil || got.Format(time.RFC3339) != want && got.In(berlin).Format(time.RFC3339) != want {
			t.Errorf("%q is read as %v, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"soon", "-5m", "0s", "2026-10-24 13:59", "now", "25:00", "9998-12-01 10:00"} {
		if got, err := readUntil(text, now, berlin); err == nil || !strings.HasPrefix(err.Error(), "--until ") {
			t.Errorf("%q is read as %v, %v", text, got, err)
		}
	}
	for text, d := range map[string]protocol.Drained{
		"2 calls, next appointment at 14:20 CEST":                {Calls: 2, Next: now.Add(20 * time.Minute)},
		"1 call, next appointment at Sun 2026-10-25 08:00 CET":   {Calls: 1, Next: now.Add(19 * time.Hour)},
		"no call, no appointment to come":                        {},
		"12 calls, next appointment at Sat 2026-10-31 14:00 CET": {Calls: 12, Next: now.AddDate(0, 0, 7)},
	} {
		if got := describeDrain(d, now, berlin); got != text {
			t.Errorf("said %q, want %q", got, text)
		}
	}
}

// TestStopFinishesCalls: SIGTERM waits for the call that runs, and for nothing else; the
// service manager learns why.
func TestStopFinishesCalls(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		timeout string // in the configuration
		how     func(t *testing.T, s *served, end func())
		log     string
	}{
		"the call ends": {"", func(t *testing.T, _ *served, end func()) { end() }, "stops when the last call is over"},
		"a second signal": {"", func(t *testing.T, s *served, _ func()) {
			if err := s.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
		}, "stopped at once"},
		"the time is over": {"drain_timeout: 2s", func(*testing.T, *served, func()) {}, "drain_timeout is over"},
	} {
		t.Run(name, func(t *testing.T) {
			file, folder := writeConfig(t)
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			writeFile(t, file, regexp.MustCompile("(?m)^drain_timeout.*$").ReplaceAllString(string(text), test.timeout), 0o600)
			manager := newManager(t)
			s := newServed(folder)
			c := program("serve", "--config", file)
			c.Env = append(c.Env, "NOTIFY_SOCKET="+manager.path)
			s.daemon = start(t, c, true, s.serving)
			created, servers, end := s.call(t)
			manager.hears(t, "STATUS=serving")
			if err := s.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			manager.hears(t, "STOPPING=1", "EXTEND_TIMEOUT_USEC=15000000", "STATUS=stops when the last call is over: 1 call")
			if test.timeout == "" {
				if stdout, stderr, err := run(t, "drain", "--socket", s.socket, "--cancel"); err == nil || !strings.Contains(stderr, "the daemon is stopping: consultations begin again once it has started again") {
					t.Errorf("a cancel while it stops: %v, %q, %q", err, stdout, stderr)
				}
				moved, _ := turnClient(t, servers[0], "tcp")
				if conn, err := moved.Allocate(); err != nil {
					t.Errorf("the call that runs: %v", err)
				} else if err := conn.Close(); err != nil {
					t.Error(err)
				}
				s.join(t, created.Seats[:1])
			}
			test.how(t, s, end)
			select {
			case err := <-s.ended:
				s.ended <- err
			case <-time.After(20 * time.Second):
				t.Error("it goes on")
			}
			s.stop(t)
			if log := s.stderr.String(); !strings.Contains(log, test.log) || !strings.Contains(log, "msg=stopped") {
				t.Errorf("the log: %s", log)
			}
		})
	}
}

// TestStopWithoutCallsIsAtOnce, whatever drain_timeout allows.
func TestStopWithoutCallsIsAtOnce(t *testing.T) {
	t.Parallel()
	file, folder := writeConfig(t)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, file, strings.Replace(string(text), "drain_timeout: 0s", "drain_timeout: 24h", 1), 0o600)
	s := newServed(folder)
	s.daemon = start(t, program("serve", "--config", file), true, s.serving)
	created := s.appoint(t, time.Now(), time.Now().Add(time.Hour))
	_, servers := s.join(t, created.Seats[:1])
	alone, _ := turnClient(t, servers[0], "udp")
	if _, err := alone.Allocate(); err != nil {
		t.Fatal(err)
	}
	s.stop(t) // within the 30 seconds that it allows
}

// manager is a service manager that notes what it is told.
type manager struct {
	path string
	conn *net.UnixConn
}

func newManager(t *testing.T) *manager {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &manager{path, conn}
}

// next is the next thing that it is told.
func (m *manager) next(t *testing.T, within time.Duration) (string, error) {
	t.Helper()
	if err := m.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1000)
	n, err := m.conn.Read(b)
	return string(b[:n]), err
}

// hears waits until it was told all of that, in this order.
func (m *manager) hears(t *testing.T, wants ...string) {
	t.Helper()
	var told []string
	for len(wants) > 0 {
		text, err := m.next(t, 20*time.Second)
		if err != nil {
			t.Fatalf("told %q, and not %q: %v", told, wants[0], err)
		}
		told = append(told, text)
		if text == wants[0] {
			wants = wants[1:]
		}
	}
}

// TestPageUnderMaintenance: who waits is told, in the reader's language, and goes on when
// it is over; a call that runs goes on meanwhile, also when a page is loaded again.
func TestPageUnderMaintenance(t *testing.T) {
	t.Parallel()
	s := startServe(t, nil)
	var created []client.Created
	for range 2 {
		one, err := s.admin.Create(t.Context(), time.Now(), time.Now().Add(time.Hour), "")
		if err != nil {
			t.Fatal(err)
		}
		created = append(created, one)
	}
	doctor, patient := consult(t, [2]starter{newChromium, newChromium}, created[0].Seats[0].Link, created[0].Seats[1].Link, "policy=relay", "policy=relay")
	waiting, late := newBrowser(t, "waiting"), newBrowser(t, "late")
	waiting.open(t, created[1].Seats[1].Link, "")
	waiting.join(t)
	waiting.wait(t, isWaiting)
	until := time.Now().Add(3 * time.Hour)
	if _, err := s.admin.StartDrain(t.Context(), until); err != nil {
		t.Fatal(err)
	}
	says := func(b *browser, element, language, text string) {
		t.Helper()
		b.wait(t, fmt.Sprintf(`(() => {
			document.querySelector('[data-lang=%s]').click();
			const said = document.querySelector('%s').textContent;
			return said.includes('%s') && said.includes(new Intl.DateTimeFormat('%[1]s', { timeStyle: 'short' }).format(new Date(%[4]d)));
		})()`, language, element, text, until.UnixMilli()))
	}
	says(waiting, "#status", "en", "under maintenance, probably until")
	says(waiting, "#status", "de", "wird gewartet, voraussichtlich bis")
	late.open(t, created[1].Seats[0].Link, "")
	late.join(t)
	says(late, "#message", "en", "under maintenance, probably until")

	patient.open(t, created[0].Seats[1].Link, "policy=relay")
	patient.join(t)
	for _, b := range []*browser{doctor, patient} {
		b.wait(t, isConnected)
		b.wait(t, flowing)
	}
	if _, err := s.admin.EndDrain(t.Context()); err != nil {
		t.Fatal(err)
	}
	late.letIn(t)
	waiting.wait(t, `document.querySelector('#consultation').checkVisibility()`)
	for _, b := range []*browser{late, waiting} {
		b.wait(t, isConnected)
	}
}

// TestDrainsThatCrossAreOneOrTheOther: what is said of a drain, and what the relay does,
// are the same after two administrators have begun and ended drains at once.
func TestDrainsThatCrossAreOneOrTheOther(t *testing.T) {
	a := bound(t)
	for range 2000 {
		var both sync.WaitGroup
		both.Go(func() { a.startDrain(time.Time{}) })
		both.Go(func() { a.endDrain() })
		both.Wait()
		if said, admits := a.draining(), a.relay.Admits("an appointment"); said == admits {
			t.Fatalf("draining %v, and the relay admits others: %v", said, admits)
		}
	}
}
