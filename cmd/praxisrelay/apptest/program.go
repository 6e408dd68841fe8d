// Package apptest runs praxisrelay for tests as users run it: the program itself, browsers,
// TURN clients, firewalls and networks around it.
package apptest

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
	"praxisrelay/relay/certificate"
	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/registry"
)

// These are variables of the environment of the program under test.
const (
	// AsProgram makes the test binary be the program, so that tests run what users run,
	// with the race detector in it.
	AsProgram = "PRAXISRELAY_TEST_AS_PROGRAM"
	// PollEvery names how often it looks at the certificate's files.
	PollEvery = "PRAXISRELAY_TEST_POLL_EVERY"
	// ClockAhead names by how much its clock is ahead.
	ClockAhead = "PRAXISRELAY_TEST_CLOCK_AHEAD"
)

// Main runs a package's tests, or the program where that is wanted.
func Main(m *testing.M, program func(version string, now func() time.Time, poll time.Duration) int) {
	if os.Getenv(AsProgram) == "" {
		code := m.Run()
		endShared()
		os.Exit(code)
	}
	tellMemory()
	poll, err := time.ParseDuration(os.Getenv(PollEvery))
	if err != nil {
		poll = certificate.PollInterval
	}
	ahead, _ := time.ParseDuration(os.Getenv(ClockAhead))
	os.Exit(program("", func() time.Time { return time.Now().Add(ahead) }, poll))
}

// ExConfig is the exit status where only another configuration helps, EX_CONFIG of sysexits.h.
const ExConfig = 78

// Loopback is the address of appliances under test.
const Loopback = "127.0.0.1"

// Demo is what praxisrelay demo --json prints.
type Demo struct {
	URL, HTTPS      string
	TURNUDP         string `json:"turn_udp"`
	TURNTCP         string `json:"turn_tcp"`
	TURNTLS         string `json:"turn_tls"`
	Doctor, Patient struct{ Code, Link, Username, Credential string }
}

// MadeAppointment is what code create --json prints of an appointment.
type MadeAppointment struct {
	Appointment string
	Seats       []struct{ Seat, Code, Link string }
}

// InTree returns the path of a file of the project, whose root it finds above the test.
func InTree(path ...string) string {
	for root := "."; ; root = filepath.Join("..", root) {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			return filepath.Join(append([]string{root}, path...)...)
		}
	}
}

// Program returns a command that runs praxisrelay.
func Program(args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), AsProgram+"=1")
	return c
}

// Run runs praxisrelay to its end and returns what it printed.
func Run(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	c := Program(args...)
	c.Stdout, c.Stderr = &out, &errs
	err = c.Run()
	return out.String(), errs.String(), err
}

// Daemon is a running praxisrelay.
type Daemon struct {
	*exec.Cmd
	Stderr *bytes.Buffer // to be read after stop
	Ended  chan error
	once   sync.Once
}

// Start starts praxisrelay and stops it when the test ends. ready gets its standard
// output or, for serve, its log, line by line, until it returns true.
func Start(t testing.TB, c *exec.Cmd, fromStderr bool, ready func(line string) bool) *Daemon {
	t.Helper()
	d := &Daemon{Cmd: c, Stderr: new(bytes.Buffer), Ended: make(chan error, 1)}
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
			d.Stderr.WriteString(lines.Text() + "\n")
			if !done && ready(lines.Text()) {
				done = true
				waiting <- true
			}
		}
		if !done {
			waiting <- false
		}
	}()
	go func() { <-drained; d.Ended <- c.Wait() }()
	t.Cleanup(func() { d.Stop(t) })
	select {
	case ok := <-waiting:
		if !ok {
			t.Fatalf("%v ended before it was ready: %s", c.Args[1:], d.Stderr)
		}
	case <-time.After(time.Minute):
		t.Fatalf("%v was not ready in time", c.Args[1:])
	}
	return d
}

// Stop ends the daemon in good order, and checks that it was.
func (d *Daemon) Stop(t testing.TB) { d.once.Do(func() { d.end(t) }) }

func (d *Daemon) end(t testing.TB) {
	_ = d.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-d.Ended:
		if err != nil {
			t.Errorf("%v: %v\n%s", d.Args[1:], err, d.Stderr)
		}
	case <-time.After(30 * time.Second):
		t.Errorf("%v did not stop", d.Args[1:])
		_ = d.Process.Kill()
	}
}

// StartDemo runs a demo on free ports.
func StartDemo(t *testing.T) (info Demo, d *Daemon) {
	t.Helper()
	c := Program("demo", "--json", "--https-port", "0", "--turn-udp-port", "0", "--turn-tcp-port", "0", "--turn-tls-port", "0")
	d = Start(t, c, false, func(line string) bool { return json.Unmarshal([]byte(line), &info) == nil })
	return info, d
}

// Served is a daemon run by serve from a configuration file.
type Served struct {
	*Daemon
	URL        string
	API        string // the admin API's URL
	Monitoring string // of the metrics and health
	CA         string // its certificate
	Socket     string
	Admin      *adminclient.Client
}

// StartServe runs an appliance with a configuration of its own. prepare, if any, may
// fill its registry before.
func StartServe(t testing.TB, prepare func(registry.Registry, *appointment.Pepper)) *Served {
	t.Helper()
	file, folder := WriteConfig(t)
	if prepare != nil {
		registry, err := registry.Open(filepath.Join(folder, "registry.db"))
		if err != nil {
			t.Fatal(err)
		}
		prepare(registry, readPepper(t, folder))
		if err := registry.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s := NewServed(folder)
	s.Daemon = Start(t, s.Trusted(file), true, s.Serving)
	return s
}

// Trusted returns the command to serve on a host that knows the certificate.
func (s *Served) Trusted(file string) *exec.Cmd {
	c := Program("serve", "--config", file)
	c.Env = append(c.Env, "SSL_CERT_FILE="+s.CA)
	return c
}

// NewServed describes the daemon of writeConfig's folder, before it is started.
func NewServed(folder string) *Served {
	s := &Served{CA: filepath.Join(folder, "cert.pem"), Socket: filepath.Join(folder, "admin.sock")}
	s.Admin = adminclient.New(s.Socket)
	return s
}

// Serving reads the line that says where the daemon serves.
func (s *Served) Serving(line string) bool {
	_, rest, ok := strings.Cut(line, "msg=serving url=")
	s.URL, _, _ = strings.Cut(rest, " ")
	_, monitoring, _ := strings.Cut(rest, " metrics=")
	monitoring, api, _ := strings.Cut(monitoring, " admin=")
	s.Monitoring = "http://" + monitoring
	s.API = "https://" + api
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

// WriteConfig writes a complete configuration with its secrets.
func WriteConfig(t testing.TB) (file, folder string) {
	t.Helper()
	folder = t.TempDir()
	path := func(name string) string { return filepath.Join(folder, name) }
	s, err := secrets.New(Loopback)
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

// Tool returns the path of a program that a test needs. Where it is missing the
// test is skipped, and `make test` says so at its end; in CI that is a failure.
func Tool(t testing.TB, name, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Skip(t, name+" is missing: install Debian's package "+debianPackage)
	}
	return path
}

// Skip skips a test for want of something, so that somebody sees it.
func Skip(t testing.TB, reason string) {
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

// NextYear puts the next year for YEAR: an appointment then is always to come, and not too
// far ahead.
func NextYear(text string) string {
	return strings.ReplaceAll(text, "YEAR", strconv.Itoa(time.Now().Year()+1))
}

// Kill ends the daemon without any order.
func (d *Daemon) Kill() {
	d.once.Do(func() {
		_ = d.Process.Kill()
		<-d.Ended
	})
}
