package appliance_test

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/token"
)

// TestALostLogEndsNothing checks that the daemon keeps serving and stops cleanly when the reader of
// its log goes away, even if SIGPIPE was ignored at its start.
func TestALostLogEndsNothing(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		demo bool
		wrap []string
	}{
		{name: "serve"},
		{name: "serve with SIGPIPE ignored before", wrap: []string{"sh", "-c", `trap "" PIPE; exec "$0" "$@"`}},
		{name: "demo", demo: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			file, folder := apptest.WriteConfig(t)
			args := []string{"serve", "--config", file}
			if row.demo {
				args = []string{"demo", "--json", "--https-port", "0", "--turn-udp-port", "0",
					"--turn-tcp-port", "0", "--turn-tls-port", "0"}
			}
			c := apptest.Program(args...)
			if row.wrap != nil {
				environment := c.Env
				c = exec.Command(row.wrap[0], append(row.wrap[1:], c.Args...)...)
				c.Env = environment
			}
			c.Env = append(c.Env, "TMPDIR="+folder)
			reader, writer, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			c.Stdout, c.Stderr = writer, writer
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- c.Wait() }()
			t.Cleanup(func() { _ = c.Process.Kill() })
			writer.Close()
			s := apptest.NewServed(folder)
			ready, said := false, ""
			for lines := bufio.NewScanner(reader); !ready && lines.Scan(); {
				said += lines.Text() + "\n"
				ready = s.Serving(lines.Text()) || json.Valid(lines.Bytes())
			}
			reader.Close()
			if !ready {
				t.Fatalf("the daemon did not start: %s", said)
			}
			if row.demo {
				sockets, err := filepath.Glob(filepath.Join(folder, "praxisrelay-demo-*", "admin.sock"))
				if err != nil || len(sockets) != 1 {
					t.Fatal(sockets, err)
				}
				s.Admin = adminclient.New(sockets[0])
			}
			for range 3 { // each writes a line to the log
				if _, err := s.Admin.CreateToken(t.Context(), "", []token.Scope{token.Appointments},
					nil); err != nil {
					t.Fatalf("with its log lost: %v", err)
				}
			}
			if err := c.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err != nil {
				t.Errorf("the daemon ended with %v", err)
			}
		})
	}
}
