package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/signal/admin/api"
)

// healthyAt is the time of healthy's status.
var healthyAt = time.Date(2026, 12, 1, 12, 20, 0, 0, time.UTC)

func healthy() api.Status {
	return api.Status{
		Version: "v1.2.3", Since: healthyAt.Add(-200 * time.Minute), Calls: 12, Sessions: 25,
		Allocations: api.AllocationCounts{UDP: 40, TCP: 3, TLS: 4},
		Appointments: api.AppointmentCounts{Open: 12, Upcoming: 31, Over: 4, Revoked: 1,
			Next: healthyAt.Add(2 * time.Hour)},
		Limits: []api.LimitUse{
			{Name: "relay.max_allocations", Used: 47, Most: 20_000}, {Name: "listen.max_connections", Used: 31, Most: 20_000},
		},
		Listeners: []api.Listener{
			{Name: "listen.https", Transport: "tcp", Address: "[::]:443", Inherited: true},
			{Name: "listen.turn_udp", Transport: "udp", Address: "[::]:3478"},
		},
		Certificates: []api.CertificateStatus{{
			Names: []string{"relay.example.org"}, Issuer: "an authority", Key: "0123abcd",
			Begins: healthyAt.Add(-26 * oneDay), Ends: healthyAt.Add(64*oneDay + time.Hour),
		}},
	}
}

// One synthetic call that arrived and one that did not.
var (
	arrived = api.SyntheticCall{Transport: "tls", Port: 443, Family: "IPv4", At: healthyAt, RTT: 1.234}
	closed  = api.SyntheticCall{Transport: "udp", Port: 3478, Family: "IPv6", At: healthyAt,
		Error: "nothing comes back"}
)

func TestStatusIsForPeople(t *testing.T) {
	s := healthy()
	s.Synthetic = []api.SyntheticCall{arrived, closed}
	s.Reload = &api.ReloadStatus{At: healthyAt.Add(-time.Hour), Error: "line 1\nline 2"}
	s.Certificates[0].Problems = []string{"it is valid for long"}
	s.Problems = []api.LoggedProblem{{Level: "warn", Message: "guessing is refused to a network",
		Details: "network=net-7KQ3XW", Count: 1234, Last: healthyAt}}
	var out strings.Builder
	if err := printStatus(&out, s, healthyAt); err != nil {
		t.Fatal(err)
	}
	const want = `version        v1.2.3
since          2026-12-01 09:00, for 3h20m
ready          yes
calls          12
sessions       25
allocations    40 UDP, 3 TCP, 4 TLS
appointments   12 open, 31 upcoming, 4 over, 1 revoked; the next opens 2026-12-01 14:20
last reload    2026-12-01 11:20, failed: line 1; line 2

LIMIT                    USED   OF
relay.max_allocations    47     20000
listen.max_connections   31     20000

CERTIFICATE         ENDS               LEFT      ISSUER         SHA-256 OF ITS KEY
relay.example.org   2027-02-03 13:20   64 days   an authority   0123abcd
not accepted by all: it is valid for long

LISTENER          TRANSPORT   ADDRESS
listen.https      tcp         [::]:443 (of the service manager)
listen.turn_udp   udp         [::]:3478

SYNTHETIC CALL   FAMILY   AT                 RESULT
443/tls          IPv4     2026-12-01 12:20   arrived, 1.2 ms
3478/udp         IPv6     2026-12-01 12:20   failed: nothing comes back

LAST PROBLEM       LEVEL   TIMES   WHAT
2026-12-01 12:20   warn    1234    guessing is refused to a network network=net-7KQ3XW
`
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", &out, want)
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "over", 0: "0s", 40*time.Second + time.Millisecond: "40s", time.Hour: "1h0m",
		200*time.Minute + 9*time.Second: "3h20m", 64*oneDay + time.Hour: "64 days",
	} {
		if got := span(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

// TestCheckFindsEachCause checks each cause's line and exit code.
func TestCheckFindsEachCause(t *testing.T) {
	lives := func(life, left time.Duration) func(*api.Status) {
		return func(s *api.Status) {
			c := &s.Certificates[0]
			c.Ends = healthyAt.Add(left)
			c.Begins = c.Ends.Add(-life)
		}
	}
	uses := func(used int) func(*api.Status) {
		return func(s *api.Status) { s.Limits[0].Used = used }
	}
	for name, test := range map[string]struct {
		change func(*api.Status)
		err    error
		level  int
		want   string
	}{
		"well": {level: checkOK,
			want: "OK - 12 calls, 25 sessions, certificate 64 days | calls=12 sessions=25 certificate_days=64.0;21.0:;7.0: " +
				"allocations=47;16000;19000;0;20000 connections=31;16000;19000;0;20000"},
		"three weeks": {change: lives(90*oneDay, 20*oneDay), level: checkWarning,
			want: "WARNING - the certificate ends in 20 days, 12 calls"},
		"a week": {change: lives(365*oneDay, 6*oneDay), level: checkCritical, want: "CRITICAL - the certificate ends in 6 days"},
		"over":   {change: lives(90*oneDay, -time.Hour), level: checkCritical, want: "the certificate has ended"},
		"refused by some": {change: func(s *api.Status) {
			s.Certificates[0].Problems = []string{"it is long"}
		}, level: checkWarning,
			want: "WARNING - the certificate is not accepted by all: it is long, 12 calls"},
		"refused by all": {change: func(s *api.Status) {
			s.NotReady, s.Certificates[0].Problems = []string{"certificate: it is bad"}, []string{"it is bad"}
		}, level: checkCritical, want: "CRITICAL - not ready: certificate: it is bad, 12 calls"},
		"short-lived":       {change: lives(45*oneDay, 11*oneDay), level: checkOK, want: "certificate_days=11.0;10.5:;3.5:"},
		"short-lived, late": {change: lives(45*oneDay, 10*oneDay), level: checkWarning, want: "ends in 10 days"},
		"some ways are closed": {change: func(s *api.Status) {
			s.Synthetic = []api.SyntheticCall{arrived, closed}
		}, level: checkWarning,
			want: "WARNING - calls through the public name fail: 3478/udp IPv6, 12 calls"},
		"all are": {change: func(s *api.Status) { s.Synthetic = []api.SyntheticCall{closed} },
			level: checkCritical, want: "CRITICAL - calls through the public name fail: 3478/udp IPv6"},
		"all are open": {change: func(s *api.Status) {
			s.Synthetic = []api.SyntheticCall{arrived}
		}, level: checkOK, want: "OK - 12 calls"},
		"no certificate": {change: func(s *api.Status) { s.Certificates = nil },
			level: checkCritical, want: "there is no certificate"},
		"80 %":       {change: uses(16_000), level: checkOK, want: "allocations=16000;"},
		"above 80 %": {change: uses(16_001), level: checkWarning, want: "16001 of 20000 of relay.max_allocations in use"},
		"above 95 %": {change: uses(19_001), level: checkCritical, want: "19001 of 20000"},
		"not ready":  {change: func(s *api.Status) { s.NotReady = []string{"a reason", "another"} }, level: checkCritical, want: "not ready: a reason; another"},
		"draining": {change: func(s *api.Status) {
			s.Draining, s.NotReady = true, []string{"draining"}
		}, level: checkWarning,
			want: "WARNING - draining: no new calls are taken, 12 calls"},
		"not reloaded": {change: func(s *api.Status) { s.Reload = &api.ReloadStatus{Error: "a | b\nc"} }, level: checkWarning, want: "the last reload failed: a / b; c, 12"},
		"reloaded": {change: func(s *api.Status) {
			s.Reload = &api.ReloadStatus{At: healthyAt}
		}, level: checkOK, want: "OK - 12"},
		"two causes": {change: func(s *api.Status) { s.Draining = true; lives(90*oneDay, oneDay)(s) }, level: checkCritical, want: "CRITICAL - draining: no new calls are taken, the certificate ends in 24h0m"},
		"not running": {err: &net.OpError{Op: "dial", Net: "unix",
			Err: os.NewSyscallError("connect", syscall.ENOENT)}, level: checkCritical,
			want: "CRITICAL - dial unix"},
		"not permitted": {err: &net.OpError{Op: "dial", Net: "unix",
			Err: os.NewSyscallError("connect", syscall.EACCES)}, level: checkUnknown,
			want: "UNKNOWN - dial unix"},
		"not known": {err: api.Problem{Status: http.StatusNotFound,
			Detail: "there is nothing for this path", Remedy: "x"}, level: checkUnknown,
			want: "UNKNOWN - there is nothing"},
		"a fault": {err: api.Problem{Status: http.StatusInternalServerError,
			Detail: "the registry cannot be read", Remedy: "x"}, level: checkCritical,
			want: "CRITICAL - the registry"},
	} {
		s := healthy()
		if test.change != nil {
			test.change(&s)
		}
		got := checkStatus(s, test.err, healthyAt)
		if line := got.String(); got.level != test.level || !strings.Contains(line, test.want) ||
			strings.Contains(line, "\n") || strings.Count(line, "|") > 1 {
			t.Errorf("%s: %d %s\nwant %d and %s", name, got.level, line, test.level, test.want)
		}
	}
}

// TestStatusOfARunningCall checks the status as JSON, as text and as a check.
func TestStatusOfARunningCall(t *testing.T) {
	t.Parallel()
	s := apptest.StartServe(t, nil)
	ask := func() (got api.Status) {
		t.Helper()
		out, stderr, err := apptest.Run(t, "status", "--socket", s.Socket, "--json")
		if err == nil {
			err = json.Unmarshal([]byte(out), &got)
		}
		if err != nil {
			t.Fatal(err, stderr)
		}
		return got
	}
	before := ask()
	if before.Calls+before.Sessions+before.Allocations.UDP != 0 || before.Reload != nil ||
		len(before.Certificates) != 1 ||
		before.Certificates[0].Names[0] != "127.0.0.1" || time.Since(before.Since) > time.Minute {
		t.Errorf("%+v", before)
	}
	names := map[string]bool{}
	for _, listener := range before.Listeners {
		names[listener.Name] = true
		if listener.Name == "listen.https" && !strings.Contains(s.URL, listener.Address) {
			t.Errorf("%+v, but the page is at %s", listener, s.URL)
		}
	}
	for _, name := range []string{"listen.https", "listen.turn_udp", "listen.turn_tcp",
		"listen.turn_tls", "signal.admin_socket", "signal.admin_listen"} {
		if !names[name] {
			t.Errorf("%s is not among %+v", name, before.Listeners)
		}
	}

	created := s.Appoint(t, time.Now(), time.Now().Add(time.Hour))
	next := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	s.Appoint(t, next, next.Add(time.Hour))
	_, servers := s.Join(t, created.Seats)
	overUDP, _ := apptest.TURNClient(t, servers[0], "udp")
	overTLS, _ := apptest.TURNClient(t, servers[1], "tls")
	doctor, err := overUDP.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(); got.Calls != 0 {
		t.Errorf("%d calls of one seat", got.Calls)
	}
	patient, err := overTLS.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	if err := overTLS.CreatePermission(doctor.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	if _, err := doctor.WriteTo([]byte("voice"), patient.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := patient.ReadFrom(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	got := ask()
	if got.Calls != 1 || got.Sessions != 2 ||
		got.Allocations != (api.AllocationCounts{UDP: 1, TLS: 1}) ||
		got.Appointments != (api.AppointmentCounts{Open: 1, Upcoming: 1, Next: next}) {
		t.Errorf("%+v", got)
	}
	if limit := got.Limits[0]; limit != (api.LimitUse{Name: "relay.max_allocations", Used: 2,
		Most: 20_000}) {
		t.Errorf("%+v", limit)
	}
	text, stderr, err := apptest.Run(t, "status", "--socket", s.Socket)
	if err != nil || !regexp.MustCompile(`(?m)^calls +1$`).MatchString(text) {
		t.Errorf("%s%s, %v", text, stderr, err)
	}
	// The tests' certificate is valid for a week.
	if line, code := checkSocket(t, s.Socket); code != checkOK ||
		!strings.HasPrefix(line, "OK - 1 call, 2 sessions, certificate 6 days | calls=1 sessions=2 ") {
		t.Errorf("%d %s", code, line)
	}
}

// checkSocket runs the check and returns its line and exit code.
func checkSocket(t *testing.T, socket string) (line string, code int) {
	t.Helper()
	out, stderr, err := apptest.Run(t, "status", "--check", "--socket", socket)
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		code, err = exit.ExitCode(), nil
	}
	if err != nil || stderr != "" || strings.Count(out, "\n") != 1 {
		t.Errorf("printed %q and %q, %v", out, stderr, err)
	}
	return out, code
}

// TestCheckExitsByCause checks the exit codes with a daemon that really has the problems.
func TestCheckExitsByCause(t *testing.T) {
	t.Parallel()
	file, folder := apptest.WriteConfig(t)
	s := apptest.NewServed(folder)
	if line, code := checkSocket(t, s.Socket); code != checkCritical ||
		!strings.HasPrefix(line, "CRITICAL - dial unix") {
		t.Errorf("without a daemon: %d %s", code, line)
	}
	s.Daemon = apptest.Start(t, s.Trusted(file), true, s.Serving)
	expect := func(when, socket string, want int, text string) {
		t.Helper()
		if line, code := checkSocket(t, socket); code != want || !strings.HasPrefix(line, text) {
			t.Errorf("%s: %d %s", when, code, line)
		}
	}
	expect("at first", s.Socket, checkOK, "OK - 0 calls")
	secret := filepath.Join(folder, "turn.secret")
	right, err := os.ReadFile(secret)
	if err != nil {
		t.Fatal(err)
	}
	reload := func(secretText string) {
		t.Helper()
		apptest.WriteFile(t, secret, secretText, 0o600)
		s.ReloadBySignal(t)
	}
	reload("short")
	expect("after a mistake", s.Socket, checkWarning, "WARNING - the last reload failed: relay.secret_files")
	status, err := s.Admin.Status(t.Context())
	if err != nil || len(status.Problems) == 0 ||
		!strings.HasPrefix(status.Problems[0].Message, "not reloaded") ||
		status.Problems[0].Level != "error" {
		t.Errorf("%+v, %v", status.Problems, err)
	}
	reload(string(right))
	expect("after its correction", s.Socket, checkOK, "OK - ")

	socket := func(name string) net.Listener {
		listener, err := net.Listen("unix", filepath.Join(t.TempDir(), name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { listener.Close() })
		return listener
	}
	hangs := socket("hangs.sock") // never accepts a connection
	expect("of one that hangs", hangs.Addr().String(), checkCritical, "CRITICAL - ")
	older := socket("older.sock")
	go func() {
		_ = http.Serve(older, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusNotFound)
			_ = json.NewEncoder(w).Encode(api.Problem{Status: http.StatusNotFound,
				Detail: "there is nothing for this method and path"})
		}))
	}()
	expect("of a daemon without a status", older.Addr().String(), checkUnknown, "UNKNOWN - there is nothing")
}

// TestStatusDocumentRuns runs every command in docs/status.md.
func TestStatusDocumentRuns(t *testing.T) {
	t.Parallel()
	bash := apptest.Tool(t, "bash", "bash")
	text, err := os.ReadFile(apptest.InTree("docs", "status.md"))
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	for _, block := range regexp.MustCompile("(?s)```([a-z]+)\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		pattern := map[string]string{
			"sh":      `(?m)^(.+)$`,
			"mrpe":    `(?m)^\S+ (.+)$`,
			"sudoers": `NOPASSWD: (.+)`,
			"icinga":  `command = \[ (.+) \]`,
			"nagios":  `command_line +(.+)`,
		}[block[1]]
		for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(block[2], -1) {
			command := match[1]
			if block[1] == "icinga" { // a list of strings
				command = strings.ReplaceAll(command, ",", "")
			}
			commands = append(commands, command)
		}
	}
	if len(commands) != 7 {
		t.Errorf("the document has the commands %q", commands)
	}
	s := apptest.StartServe(t, nil)
	folder := t.TempDir()
	ours := filepath.Join(folder, "praxisrelay")
	apptest.WriteFile(t, ours, fmt.Sprintf("#!/bin/sh\n%s=1 exec %q \"$@\" --socket %q\n",
		apptest.AsProgram, os.Args[0], s.Socket), 0o700)
	apptest.WriteFile(t, filepath.Join(folder, "sudo"),
		"#!/bin/sh\n[ \"$1\" = -n ] && shift && exec \"$@\"\n", 0o700)
	for _, command := range commands {
		c := exec.CommandContext(t.Context(), bash, "-c",
			strings.ReplaceAll(command, "/usr/bin/praxisrelay", ours))
		c.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"))
		out, err := c.CombinedOutput()
		if err != nil || strings.HasSuffix(strings.TrimSpace(strings.Trim(command, `"`)), "--check") &&
			!strings.HasPrefix(string(out), "OK - ") {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
	}
}
