package setup_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/config"
	"praxisrelay/signal/code"
)

// TestInitLooksAround runs init on a host with its own name service, on which other programs occupy
// ports.
func TestInitLooksAround(t *testing.T) {
	t.Parallel()
	h := apptest.NewHosts(t, [2]string{"192.0.2.1/24", "192.0.2.2/24"})
	etc := filepath.Join("/etc/netns", h[0])
	if err := os.MkdirAll(etc, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(etc); os.Remove("/etc/netns") })
	apptest.WriteFile(t, filepath.Join(etc, "hosts"),
		"192.0.2.1 here.example.org xn--praxis-mller-klb.test\n203.0.113.7 relay.example.org\n", 0o644)
	apptest.WriteFile(t, filepath.Join(etc, "resolv.conf"), "nameserver 127.0.0.1\n", 0o644)
	if out, err := h.On(0, exec.Command("ip", "link", "set", "lo", "up")).CombinedOutput(); err != nil {
		t.Fatalf("%s", out)
	}
	here := func(name string, args ...string) (string, config.Config) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "praxisrelay.yaml")
		ascii, err := config.HostName(name)
		if err != nil {
			t.Fatal(err)
		}
		certificate, key := apptest.SelfSigned(t, ascii).Write(t)
		c := h.On(0, apptest.Program(append([]string{"init", "--non-interactive", "--config", file,
			"--name", name, "--cert", certificate, "--key", key}, args...)...))
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s", out)
		}
		settings, err := config.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(out), settings
	}
	check := func(said string, want []string, not ...string) {
		t.Helper()
		for _, text := range want {
			if !strings.Contains(said, text) {
				t.Errorf("%q is not in\n%s", text, said)
			}
		}
		for _, text := range not {
			if strings.Contains(said, text) {
				t.Errorf("%q is in\n%s", text, said)
			}
		}
	}

	// A name in everyday spelling works, wherever it is given.
	said, named := here("Praxis-Müller.test.")
	check(said, []string{"\n  praxis-müller.test (xn--praxis-mller-klb.test): DNS, certificates and links use the latter form\n",
		"  xn--praxis-mller-klb.test.  A     192.0.2.1        ; is there\n"}, "warning: name")
	if named.Name != "xn--praxis-mller-klb.test" {
		t.Errorf("the name is %q", named.Name)
	}
	checking := h.On(0, apptest.Program("check", "https://PRAXIS-MÜLLER.test/",
		"--code", code.New().Format(), "--quick", "--json"))
	report, _ := checking.Output() // nothing answers there
	if !regexp.MustCompile(`(?s)"id": "dns",\s+"status": "ok".*"192.0.2.1"`).Match(report) ||
		!bytes.Contains(report, []byte(`"host": "xn--praxis-mller-klb.test"`)) {
		t.Errorf("check reports\n%s", report)
	}

	said, _ = here("here.example.org")
	check(said, []string{"  here.example.org.  A     192.0.2.1        ; is there\n", "no AAAA record"},
		"warning: name", "warning: listen")
	said, c := here("relay.example.org")
	check(said, []string{"warning: name: relay.example.org resolves to 203.0.113.7, which is no address of this host", "--public-address auto",
		"  relay.example.org.  A     192.0.2.1        ; to make\n"})
	if c.Relay.PublicAddress.IsValid() {
		t.Error("a public address was taken unasked")
	}
	said, c = here("relay.example.org", "--public-address", "auto")
	check(said, []string{"  relay.example.org.  A     203.0.113.7      ; is there\n"}, "warning: name")
	if c.Relay.PublicAddress.String() != "203.0.113.7" {
		t.Errorf("the public address is %v", c.Relay.PublicAddress)
	}
	said, _ = here("unknown.example.org")
	check(said, []string{"warning: name: unknown.example.org does not resolve here"}, "--public-address auto")

	demo := h.On(0, apptest.Program("demo", "--https-port", "443", "--turn-udp-port", "3478",
		"--turn-tcp-port", "3479", "--turn-tls-port", "0"))
	apptest.Start(t, demo, false, func(line string) bool { return strings.Contains(line, "Ctrl-C") })
	said, _ = here("here.example.org")
	holder := filepath.Base(os.Args[0])
	holder = holder[:min(len(holder), 15)] // the kernel's limit
	check(said, []string{
		"warning: listen.https: " + holder + " has :443/tcp: stop it",
		"warning: listen.turn_udp: " + holder + " has :3478/udp",
		"warning: listen.turn_tcp: " + holder + " has :3479/tcp",
	}, "has :3478/tcp", "has :3479/udp", "listen.turn_tls", "metrics.listen")
}

// TestInitSaysWhetherTheClockIsKept compares init's warning with the kernel's state.
func TestInitSaysWhetherTheClockIsKept(t *testing.T) {
	var kernel unix.Timex
	if _, err := unix.Adjtimex(&kernel); err != nil {
		t.Fatal(err)
	}
	certificate, key := apptest.SelfSigned(t, "127.0.0.1").Write(t)
	stdout, stderr, err := initialize(t, "--config", filepath.Join(t.TempDir(), "c.yaml"),
		"--name", "127.0.0.1", "--cert", certificate, "--key", key)
	if err != nil {
		t.Fatal(stderr)
	}
	if said := strings.Contains(stdout,
		"warning: clock: nothing keeps"); said != (kernel.Status&unix.STA_UNSYNC != 0) {
		t.Errorf("status %x, said %v", kernel.Status, said)
	}
}

// keyboard is a terminal on which a program runs.
type keyboard struct {
	t    *testing.T
	file *os.File
	mu   sync.Mutex
	said bytes.Buffer
	more chan struct{}
}

// atTerminal starts a program on a new terminal.
func atTerminal(t *testing.T, c *exec.Cmd) *keyboard {
	t.Helper()
	file, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	fd := int(file.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	c.Stdin, c.Stdout, c.Stderr = other, other, other
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	term := &keyboard{t: t, file: file, more: make(chan struct{}, 1)}
	go func() {
		for b := make([]byte, 4096); ; {
			n, err := file.Read(b)
			term.mu.Lock()
			term.said.Write(b[:n])
			term.mu.Unlock()
			select {
			case term.more <- struct{}{}:
			default:
			}
			if err != nil {
				return
			}
		}
	}()
	return term
}

func (term *keyboard) text() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	return strings.ReplaceAll(term.said.String(), "\r\n", "\n")
}

// answer waits for a question, types a line, and discards the output up to the question.
func (term *keyboard) answer(question, line string) {
	term.t.Helper()
	deadline := time.After(30 * time.Second)
	for !strings.HasSuffix(term.text(), ": ") {
		select {
		case <-term.more:
		case <-deadline:
			term.t.Fatalf("said %q, want %q", term.text(), question)
		}
	}
	if !strings.Contains(term.text(), question) {
		term.t.Fatalf("said %q, want %q", term.text(), question)
	}
	term.mu.Lock()
	term.said.Reset()
	term.mu.Unlock()
	if _, err := term.file.WriteString(line); err != nil {
		term.t.Fatal(err)
	}
}

// TestInitAsks checks that init asks at a terminal for what the flags leave open, repeats a
// question after an impossible answer, and can be cancelled.
func TestInitAsks(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "praxisrelay.yaml")
	certificate, key := apptest.SelfSigned(t, "relay.invalid").Write(t)
	_, otherKey := apptest.SelfSigned(t, "relay.invalid").Write(t)
	stun := apptest.STUNServer(t, "203.0.113.9")
	c := apptest.Program("init", "--config", file, "--stun", stun)
	term := atTerminal(t, c)
	term.answer("DNS name", "https://relay.invalid/\n")
	term.answer("more than a name: write relay.invalid", "relay.invalid\n")
	term.answer("the file of the chain (PEM), or acme to have one issued [acme]: ", "/nonexistent\n")
	term.answer("no such file", certificate+"\n")
	term.answer("private key", otherKey+"\n")
	term.answer("does not match", key+"\n")
	term.answer(stun+" sees 203.0.113.9, which is not an address of this host. Does a NAT translate it to this host? [yes]: ", "perhaps\n")
	term.answer("yes or no?", "\n")
	if err := c.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, term.text())
	}
	saysNoSecret(t, folder, term.text())
	settings, err := config.Load(file)
	if err != nil || settings.Name != "relay.invalid" ||
		settings.Relay.PublicAddress.String() != "203.0.113.9" {
		t.Errorf("wrote %+v, %v", settings, err)
	}

	folder = t.TempDir()
	file = filepath.Join(folder, "praxisrelay.yaml")
	c = apptest.Program("init", "--config", file, "--name", "relay.invalid")
	term = atTerminal(t, c)
	term.answer("or acme", "\n")
	term.answer("Directory of the authority (with it you accept its terms) ["+letsEncrypt+"]: ",
		"https://127.0.0.1:1/\n")
	term.answer("E-mail", "it@example.org\n")
	if err := c.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, term.text())
	}
	if settings, err = config.Load(file); err != nil ||
		settings.TLS.ACME.Directory != "https://127.0.0.1:1/" || settings.TLS.ACME.Email != "it@example.org" {
		t.Errorf("wrote %+v, %v", settings, err)
	}

	for what, typed := range map[string]string{"an interrupt": "\x03", "an end": "\x04"} {
		folder = t.TempDir()
		c = apptest.Program("init", "--config", filepath.Join(folder, "praxisrelay.yaml"))
		term = atTerminal(t, c)
		term.answer("DNS name", typed)
		if err := c.Wait(); err == nil || len(contents(t, folder)) > 0 {
			t.Errorf("%s: %v, left %v", what, err, contents(t, folder))
		}
	}
}

// TestInitKilled kills init at every step of writing. It leaves either no configuration and no
// partial file, or the configuration and all files that it names. The next run completes it.
func TestInitKilled(t *testing.T) {
	t.Parallel()
	certificate, key := apptest.SelfSigned(t, "127.0.0.1").Write(t)
	left := map[int]bool{} // how many files a killed run left
	kill := func(call, at string, nth int) (killed bool) {
		t.Helper()
		base := t.TempDir()
		args := []string{"init", "--non-interactive", "--config",
			filepath.Join(base, "etc", "praxisrelay.yaml"),
			"--name", "127.0.0.1", "--cert", certificate, "--key", key}
		if at != "" {
			at = filepath.Join(base, at)
		}
		killed = disturbed(t, fmt.Sprintf("%s:signal=KILL:when=%d", call, nth), at, args...).Run() != nil
		files := contents(t, base)
		left[len(files)] = true
		complete := func(files map[string]string) bool {
			return len(files) == 5 && strings.HasSuffix(files["etc/praxisrelay.yaml"], "to end\n") &&
				len(files["etc/turn.secret"]) == len(files["etc/pepper.secret"])
		}
		for name, text := range files {
			if strings.HasSuffix(name, ".secret") && len(text) != len("-rw------- ")+45 {
				t.Errorf("killed at %s %s %d: %s is %d bytes", call, at, nth, name, len(text))
			}
		}
		if files["etc/praxisrelay.yaml"] != "" && !complete(files) {
			t.Errorf("killed at %s %s %d: a configuration without what it names", call, at, nth)
		}
		_, stderr, err := apptest.Run(t, args...)
		again := contents(t, base)
		if err != nil || !complete(again) {
			t.Errorf("killed at %s %s %d, then run: %v %s", call, at, nth, err, stderr)
		}
		for name, text := range files {
			if again[name] != text {
				t.Errorf("killed at %s %s %d, then run: %s changed", call, at, nth, name)
			}
		}
		return killed
	}
	for _, step := range []struct{ call, at string }{
		{"mkdirat", "etc"}, {"fchmodat", "etc"}, {"linkat", "etc/turn.secret"},
		{"linkat", "etc/pepper.secret"}, {"mkdirat", "etc/tls"},
		{"symlinkat", "etc/tls/fullchain.pem"}, {"symlinkat", "etc/tls/privkey.pem"}, {"fsync", "etc/tls"},
		{"linkat", "etc/praxisrelay.yaml"}, {"fsync", "etc"},
	} {
		if !kill(step.call, step.at, 1) {
			t.Errorf("%s of %s never happened", step.call, step.at)
		}
	}
	for _, call := range []string{"fchmod", "fsync"} {
		for nth := 1; kill(call, "", nth); nth++ {
		}
	}
	for n := range 6 {
		if !left[n] {
			t.Errorf("no run was killed with %d files made", n)
		}
	}
}

// disturbed returns a command that runs the program under strace, with a system call manipulated as
// in strace's option inject. at restricts this to a path.
func disturbed(t *testing.T, inject, at string, args ...string) *exec.Cmd {
	t.Helper()
	strace := apptest.Tool(t, "strace", "strace")
	c := apptest.Program(args...)
	call, _, _ := strings.Cut(inject, ":")
	c.Args = []string{"strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + call, "-e",
		"inject=" + inject}
	if at != "" {
		c.Args = append(c.Args, "-P", at)
	}
	c.Args, c.Path = append(append(c.Args, c.Path), args...), strace
	return c
}

// TestInitTakesBack checks that init removes its files when the disk fails.
func TestInitTakesBack(t *testing.T) {
	t.Parallel()
	certificate, key := apptest.SelfSigned(t, "127.0.0.1").Write(t)
	for _, test := range []struct{ inject, at string }{
		{"linkat:error=ENOSPC", "etc/praxisrelay.yaml"},
		{"linkat:error=ENOSPC", "etc/pepper.secret"},
		{"symlinkat:error=EROFS", "etc/tls/privkey.pem"},
		{"mkdirat:error=EACCES", "etc/tls"},
		{"fsync:error=EIO", "etc/tls"},
	} {
		base := t.TempDir()
		out, err := disturbed(t, test.inject, filepath.Join(base, test.at), "init", "--non-interactive",
			"--config", filepath.Join(base, "etc", "praxisrelay.yaml"), "--name", "127.0.0.1",
			"--cert", certificate, "--key", key).CombinedOutput()
		if err == nil {
			t.Errorf("%s at %s: no error\n%s", test.inject, test.at, out)
		}
		if entries, err := os.ReadDir(base); err != nil || len(entries) > 0 {
			t.Errorf("%s at %s: left %v, %v", test.inject, test.at, entries, err)
		}
	}
}
