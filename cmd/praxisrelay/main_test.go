package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/client"
)

// asProgram makes the test binary be the program, so that tests run what users run,
// with the race detector in it.
const asProgram = "PRAXISRELAY_TEST_AS_PROGRAM"

// pollEvery names how often the program under test looks at the certificate's files.
const pollEvery = "PRAXISRELAY_TEST_POLL_EVERY"

// clockAhead names by how much the clock of the program under test is ahead.
const clockAhead = "PRAXISRELAY_TEST_CLOCK_AHEAD"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		tellMemory()
		if interval, err := time.ParseDuration(os.Getenv(pollEvery)); err == nil {
			certificatePoll = interval
		}
		if ahead, err := time.ParseDuration(os.Getenv(clockAhead)); err == nil {
			wallClock = func() time.Time { return time.Now().Add(ahead) }
		}
		main()
		return
	}
	os.Exit(m.Run())
}

// exConfig is the exit status where only another configuration helps, EX_CONFIG of sysexits.h.
const exConfig = 78

// loopback is the address of appliances under test.
const loopback = "127.0.0.1"

// demo is what praxisrelay demo --json prints.
type demo struct {
	URL, HTTPS      string
	TURNUDP         string `json:"turn_udp"`
	TURNTCP         string `json:"turn_tcp"`
	TURNTLS         string `json:"turn_tls"`
	Doctor, Patient struct{ Code, Link, Username, Credential string }
}

// madeAppointment is what code create --json prints of an appointment.
type madeAppointment struct {
	Appointment string
	Seats       []struct{ Seat, Code, Link string }
}

// inTree returns the path of a file of the project, whose root it finds above the test.
func inTree(path ...string) string {
	for root := "."; ; root = filepath.Join("..", root) {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			return filepath.Join(append([]string{root}, path...)...)
		}
	}
}

// program returns a command that runs praxisrelay.
func program(args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), asProgram+"=1")
	return c
}

// run runs praxisrelay to its end and returns what it printed.
func run(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	c := program(args...)
	c.Stdout, c.Stderr = &out, &errs
	err = c.Run()
	return out.String(), errs.String(), err
}

// daemon is a running praxisrelay.
type daemon struct {
	*exec.Cmd
	stderr *bytes.Buffer // to be read after stop
	ended  chan error
	once   sync.Once
}

// start starts praxisrelay and stops it when the test ends. ready gets its standard
// output or, for serve, its log, line by line, until it returns true.
func start(t testing.TB, c *exec.Cmd, fromStderr bool, ready func(line string) bool) *daemon {
	t.Helper()
	d := &daemon{Cmd: c, stderr: new(bytes.Buffer), ended: make(chan error, 1)}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stdout, c.Stderr = writer, os.Stderr
	if fromStderr {
		c.Stdout, c.Stderr = nil, writer
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	waiting := make(chan bool, 1)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		lines, done := bufio.NewScanner(reader), false
		for lines.Scan() {
			d.stderr.WriteString(lines.Text() + "\n")
			if !done && ready(lines.Text()) {
				done = true
				waiting <- true
			}
		}
		if !done {
			waiting <- false
		}
	}()
	go func() { <-drained; d.ended <- c.Wait() }()
	t.Cleanup(func() { d.stop(t) })
	select {
	case ok := <-waiting:
		if !ok {
			t.Fatalf("%v ended before it was ready: %s", c.Args[1:], d.stderr)
		}
	case <-time.After(time.Minute):
		t.Fatalf("%v was not ready in time", c.Args[1:])
	}
	return d
}

// stop ends the daemon in good order, and checks that it was.
func (d *daemon) stop(t testing.TB) { d.once.Do(func() { d.end(t) }) }

func (d *daemon) end(t testing.TB) {
	_ = d.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-d.ended:
		if err != nil {
			t.Errorf("%v: %v\n%s", d.Args[1:], err, d.stderr)
		}
	case <-time.After(30 * time.Second):
		t.Errorf("%v did not stop", d.Args[1:])
		_ = d.Process.Kill()
	}
}

// startDemo runs a demo on free ports.
func startDemo(t *testing.T) (info demo, d *daemon) {
	t.Helper()
	c := program("demo", "--json", "--https-port", "0", "--turn-udp-port", "0", "--turn-tcp-port", "0", "--turn-tls-port", "0")
	d = start(t, c, false, func(line string) bool { return json.Unmarshal([]byte(line), &info) == nil })
	return info, d
}

// served is a daemon run by serve from a configuration file.
type served struct {
	*daemon
	url        string
	api        string // the admin API's URL
	monitoring string // of the metrics and health
	ca         string // its certificate
	socket     string
	admin      *client.Admin
}

// startServe runs an appliance with a configuration of its own. prepare, if any, may
// fill its registry before.
func startServe(t testing.TB, prepare func(appointment.Registry, *appointment.Pepper)) *served {
	t.Helper()
	file, folder := writeConfig(t)
	if prepare != nil {
		registry, err := appointment.Open(filepath.Join(folder, "registry.db"))
		if err != nil {
			t.Fatal(err)
		}
		prepare(registry, readPepper(t, folder))
		if err := registry.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s := newServed(folder)
	s.daemon = start(t, s.trusted(file), true, s.serving)
	return s
}

// trusted returns the command to serve on a host that knows the certificate.
func (s *served) trusted(file string) *exec.Cmd {
	c := program("serve", "--config", file)
	c.Env = append(c.Env, "SSL_CERT_FILE="+s.ca)
	return c
}

// newServed describes the daemon of writeConfig's folder, before it is started.
func newServed(folder string) *served {
	s := &served{ca: filepath.Join(folder, "cert.pem"), socket: filepath.Join(folder, "admin.sock")}
	s.admin = client.NewAdmin(s.socket)
	return s
}

// serving reads the line that says where the daemon serves.
func (s *served) serving(line string) bool {
	_, rest, ok := strings.Cut(line, "msg=serving url=")
	s.url, _, _ = strings.Cut(rest, " ")
	_, monitoring, _ := strings.Cut(rest, " metrics=")
	monitoring, api, _ := strings.Cut(monitoring, " admin=")
	s.monitoring = "http://" + monitoring
	s.api = "https://" + api
	return ok
}

func readPepper(t testing.TB, folder string) *appointment.Pepper {
	t.Helper()
	keys, err := secrets.ReadPeppers(filepath.Join(folder, "pepper.secret"), secrets.FromDisk)
	if err != nil {
		t.Fatal(err)
	}
	pepper, err := appointment.NewPepper(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return pepper
}

// writeConfig writes a complete configuration with its secrets.
func writeConfig(t testing.TB) (file, folder string) {
	t.Helper()
	folder = t.TempDir()
	path := func(name string) string { return filepath.Join(folder, name) }
	s, err := secrets.New(loopback)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"cert.pem": string(s.Pair.Chain), "key.pem": string(s.Pair.Key),
		"turn.secret": string(s.TURN[0]) + "\n", "pepper.secret": string(s.Peppers[0]) + "\n",
		"praxisrelay.yaml": strings.ReplaceAll(`
name: 127.0.0.1
listen:
  https: 127.0.0.1:0
  turn_udp: [127.0.0.1:0]
  turn_tcp: [127.0.0.1:0]
  turn_tls: [127.0.0.1:0]
tls: {certificate: DIR/cert.pem, key: DIR/key.pem}
relay: {secret_files: [DIR/turn.secret]}
signal: {registry: DIR/registry.db, pepper_file: DIR/pepper.secret, admin_socket: DIR/admin.sock, admin_listen: 127.0.0.1:0}
metrics: {listen: 127.0.0.1:0}
drain_timeout: 0s # tests stop in the middle of calls
`, "DIR", folder),
	} {
		if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path("praxisrelay.yaml"), folder
}

// tool returns the path of a program that a test needs. Where it is missing the
// test is skipped, and `make test` says so at its end; in CI that is a failure.
func tool(t testing.TB, name, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		skip(t, name+" is missing: install Debian's package "+debianPackage)
	}
	return path
}

// skip skips a test for want of something, so that somebody sees it.
func skip(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(reason)
	}
	if list := os.Getenv("PRAXISRELAY_TEST_SKIPPED"); list != "" {
		if f, err := os.OpenFile(list, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
			f.WriteString(t.Name() + ": " + reason + "\n")
			f.Close()
		}
	}
	t.Skip(reason)
}

// nextYear puts the next year for YEAR: an appointment then is always to come, and not too
// far ahead.
func nextYear(text string) string {
	return strings.ReplaceAll(text, "YEAR", strconv.Itoa(time.Now().Year()+1))
}
