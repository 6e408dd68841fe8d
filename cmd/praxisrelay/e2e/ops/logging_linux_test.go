package ops

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"praxisrelay/cmd/praxisrelay/apptest"
)

// withStream returns a command that runs praxisrelay with a JOURNAL_STREAM.
func withStream(stream string, args ...string) *exec.Cmd {
	c := apptest.Program()
	c.Path = "/bin/sh"
	c.Args = append([]string{"sh", "-c", `JOURNAL_STREAM=` + stream + ` exec "$0" "$@"`, os.Args[0]}, args...)
	return c
}

// standardError is JOURNAL_STREAM's value when the journal reads standard error.
const standardError = `$(stat -L -c %d:%i /proc/self/fd/2)`

// TestJournalGetsPriorities checks that the journal gets priorities and no times, unless
// JOURNAL_STREAM names something else.
func TestJournalGetsPriorities(t *testing.T) {
	t.Parallel()
	for stream, line := range map[string]string{
		standardError: `^<[3-7]>[a-z ]+( [a-z_]+=.*)?$`,
		"1:1":         `^time=\S+ level=[A-Z]+ msg=`,
	} {
		file, _ := apptest.WriteConfig(t)
		d := apptest.Start(t, withStream(stream, "serve", "--config", file), true, func(line string) bool {
			return strings.Contains(line, "serving")
		})
		d.Stop(t)
		lines := strings.Split(strings.TrimSpace(d.Stderr.String()), "\n")
		if len(lines) < 2 {
			t.Errorf("with %s, only %q", stream, lines)
		}
		for _, one := range lines {
			if !regexp.MustCompile(line).MatchString(one) {
				t.Errorf("with %s: %s", stream, one)
			}
		}
	}
	var stderr bytes.Buffer
	c := withStream(standardError, "serve", "--config", filepath.Join(t.TempDir(), "none.yaml"))
	c.Stderr = &stderr
	if err := c.Run(); err == nil || !strings.HasPrefix(stderr.String(), "<3>") {
		t.Errorf("the reason for not starting: %s, %v", &stderr, err)
	}
}

// TestTerminalIsShort checks that a terminal only shows the time of day and the message.
func TestTerminalIsShort(t *testing.T) {
	t.Parallel()
	file, _ := apptest.WriteConfig(t)
	ours, theirs := openTerminal(t)
	c := apptest.Program("serve", "--config", file)
	c.Stderr = theirs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	served := make(chan string, 1)
	read := make(chan string, 1)
	go func() {
		var text strings.Builder
		buffer := make([]byte, 4096)
		for {
			n, err := ours.Read(buffer)
			text.Write(buffer[:n])
			if strings.Contains(text.String(), "serving") && len(served) == 0 {
				served <- "yes"
			}
			if err != nil {
				read <- text.String()
				return
			}
		}
	}()
	select {
	case <-served:
		_ = c.Process.Signal(syscall.SIGTERM)
	case <-time.After(time.Minute):
		t.Error("the daemon was not ready in time")
		_ = c.Process.Kill()
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	text := <-read
	if !regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d INFO  serving url=https://`).MatchString(text) ||
		!regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d INFO  stopped\r?$`).MatchString(text) {
		t.Errorf("%q", text)
	}
}

// openTerminal opens a pseudo-terminal. Reading fails once nobody has its other end open.
func openTerminal(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close() })
	number, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	err = errors.Join(err, unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}
