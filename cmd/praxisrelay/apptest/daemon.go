package apptest

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Daemon is a running praxisrelay.
type Daemon struct {
	*exec.Cmd
	Stderr *bytes.Buffer // to be read after Stop
	Ended  chan error
	once   sync.Once
}

// Start starts praxisrelay and stops it when the test ends. It passes the standard output or, for
// serve, the log to ready, line by line, until ready returns true.
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

// Stop ends the daemon with SIGTERM and checks that it ends without an error.
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

// Kill ends the daemon with SIGKILL.
func (d *Daemon) Kill() {
	d.once.Do(func() {
		_ = d.Process.Kill()
		<-d.Ended
	})
}
