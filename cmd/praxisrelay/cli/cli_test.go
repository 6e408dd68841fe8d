package cli_test

import (
	"crypto/x509"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/relay/certificate/certificatetest"
	"praxisrelay/signal/code"
)

// TestServeDoesNotStartOnMistakes checks that every mistake is reported with a remedy, and that
// nothing starts with an insecure default.
func TestServeDoesNotStartOnMistakes(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	replace := func(old, new string) func(t *testing.T, folder string) {
		return func(t *testing.T, folder string) {
			file := filepath.Join(folder, "praxisrelay.yaml")
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			apptest.WriteFile(t, file, strings.Replace(string(text), old, new, 1), 0o600)
		}
	}
	write := func(name, text string, mode os.FileMode) func(t *testing.T, folder string) {
		return func(t *testing.T, folder string) {
			apptest.WriteFile(t, filepath.Join(folder, name), text, mode)
		}
	}
	for name, test := range map[string]struct {
		spoil  func(t *testing.T, folder string)
		want   []string
		status int
	}{
		"no TURN secret": {func(t *testing.T, folder string) { os.Remove(filepath.Join(folder, "turn.secret")) },
			[]string{"relay.secret_files[0]:",
				"does not exist: make one with: (umask 077; openssl rand -base64 32 > "}, apptest.ExConfig},
		"an empty secret": {write("turn.secret", "\n", 0o600),
			[]string{"relay.secret_files[0]:", "holds 0 characters, at least 16"}, apptest.ExConfig},
		"a secret for everybody": {write("pepper.secret", "a pepper of some length", 0o604),
			[]string{"signal.pepper_file:", "chmod o="}, apptest.ExConfig},
		"one secret twice": {func(t *testing.T, folder string) {
			write("turn.secret", "one and the same secret", 0o600)(t, folder)
			write("pepper.secret", "one and the same secret", 0o600)(t, folder)
		}, []string{"signal.pepper_file: holds the same secret as relay.secret_files[0]"}, apptest.ExConfig},
		"no certificate": {func(t *testing.T, folder string) { os.Remove(filepath.Join(folder, "cert.pem")) },
			[]string{"tls.certificate:", "cert.pem"}, apptest.ExConfig},
		"another's certificate": {replace("name: 127.0.0.1", "name: relay.example.org"),
			[]string{"tls.certificate:", "not for relay.example.org"}, apptest.ExConfig},
		"an expired certificate": {func(t *testing.T, folder string) {
			chain, key := certificatetest.NewCA(t).Issue(t, "127.0.0.1", func(c *x509.Certificate) {
				c.NotAfter = time.Now().Add(-time.Hour)
			})
			write("cert.pem", string(chain), 0o600)(t, folder)
			write("key.pem", string(key), 0o600)(t, folder)
		}, []string{"tls.certificate:", "renew it"}, 1},
		"an unknown key": {replace("relay: {", "relay: {no_auth: true, "),
			[]string{"praxisrelay.yaml:9: relay.no_auth: unknown key"}, apptest.ExConfig},
		"a taken port": {replace("https: 127.0.0.1:0",
			"https: "+taken.Addr().String()), []string{"listen.https:", "stop the program that has the port"}, 1},
		"another host's address": {replace("turn_udp: [127.0.0.1:0]",
			"turn_udp: ['192.0.2.99:3478']"), []string{"listen.turn_udp:", "use an address of this host"}, 1},
		"a file that is not a registry": {write("registry.db", strings.Repeat("not a registry ", 1000),
			0o600), []string{"signal.registry: ", "registry.db is none, or damaged", "restore a backup"}, 1},
		"a folder that is missing": {replace("admin_socket: ", "admin_socket: /nonexistent"),
			[]string{"signal.admin_socket:", "make the folder /nonexistent"}, 1},
		"a device as the folder": {replace("registry: ", "registry: /dev/null"),
			[]string{"signal.registry:", "/dev/null", "is not a folder"}, 1},
		"a long path": {replace("admin_socket: ", "admin_socket: /"+strings.Repeat("long/", 30)),
			[]string{"praxisrelay.yaml:10: signal.admin_socket:", "the path of a unix socket at most "},
			apptest.ExConfig},
	} {
		t.Run(name, func(t *testing.T) {
			file, folder := apptest.WriteConfig(t)
			secret, err := os.ReadFile(filepath.Join(folder, "turn.secret"))
			if err != nil {
				t.Fatal(err)
			}
			test.spoil(t, folder)
			stdout, stderr, err := apptest.Run(t, "serve", "--config", file)
			if err == nil || stdout != "" {
				t.Fatalf("it started: %q", stdout)
			}
			if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != test.status {
				t.Errorf("%v, want the exit status %d", err, test.status)
			}
			for _, want := range test.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("said %q, want something with %q", stderr, want)
				}
			}
			if strings.Contains(stderr, strings.TrimSpace(string(secret))) ||
				strings.Contains(stderr, "panic") {
				t.Errorf("said %q", stderr)
			}
		})
	}
}

func TestCodeCommands(t *testing.T) {
	t.Parallel()
	s := apptest.StartServe(t, nil)
	_, stderr, err := apptest.Run(t, "code", "create", "--socket", s.Socket,
		"--start", "2026-12-01 10:00", "--zone", "Europe/Berlin")
	// The window may be over by the time this test runs; then it is refused.
	if err != nil && !strings.Contains(stderr, "over already") {
		t.Fatal(stderr)
	}
	stdout, stderr, err := apptest.Run(t, "code", "create", "--socket", s.Socket,
		"--start", apptest.NextYear("YEAR-07-01 10:00"))
	if err != nil {
		t.Fatal(stderr)
	}
	lines := strings.Split(stdout, "\n")
	id := strings.Fields(lines[0])[1]
	opens := time.Date(time.Now().Year()+1, 7, 1, 10, 0, 0, 0, time.UTC) // the clock's reading in any zone
	for _, want := range []string{opens.Format("opens         Mon 2006-01-02 15:04 CEST"),
		opens.AddDate(0, 0, 1).Format("closes        Mon 2006-01-02 15:04 CEST")} {
		if !strings.Contains(stdout, want) {
			t.Errorf("printed %q, want %q in it", stdout, want)
		}
	}
	for _, line := range lines[4:6] {
		fields := strings.Fields(line)
		if _, err := code.Parse(fields[1]); err != nil || fields[2] != s.URL+"#"+fields[1] {
			t.Errorf("printed %q: %v", line, err)
		}
	}
	listed, _, err := apptest.Run(t, "code", "list", "--socket", s.Socket)
	if err != nil || !strings.Contains(listed, id) || !strings.Contains(listed, "to come") ||
		strings.Contains(listed, strings.Fields(lines[4])[1]) {
		t.Errorf("listed %q, %v", listed, err)
	}
	if revoked, stderr, err := apptest.Run(t, "code", "revoke", id, "--socket", s.Socket); err != nil ||
		revoked != id+" is revoked\n" {
		t.Errorf("%q %q", revoked, stderr)
	}
	if listed, _, _ := apptest.Run(t, "code", "list", "--socket", s.Socket); !strings.Contains(listed,
		"revoked") {
		t.Errorf("listed %q", listed)
	}
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no start":    {[]string{"code", "create", "--socket", s.Socket}, "[start from test] is required"},
		"a bad start": {[]string{"code", "create", "--socket", s.Socket, "--start", "soon"}, `write it like "2026-12-01 10:00"`},
		"a bad zone": {[]string{"code", "create", "--socket", s.Socket,
			"--start", apptest.NextYear("YEAR-01-01"), "--zone", "Mars"}, "use a name like Europe/Berlin"},
		"over already": {[]string{"code", "create", "--socket", s.Socket, "--start", "2020-01-01"}, "over already"},
		"no daemon": {[]string{"code", "list", "--socket", "/nonexistent.sock"},
			"start the daemon, or name its signal.admin_socket"},
		"a long path": {[]string{"code", "list", "--socket", "/" + strings.Repeat("long/", 30)},
			"is too long for the path of a unix socket"},
		"no such id": {[]string{"code", "revoke", "nobody", "--socket", s.Socket}, "see praxisrelay code list"},
		"a typo":     {[]string{"ice", "KTRW-BZMF-QHDG", "--server", s.URL}, "check what was typed"},
		"no server":  {[]string{"ice", "KTRW-BZMF-QHDF", "--server", "relay"}, "write https:// and its name"},
		"wrong code": {[]string{"ice", "KTRW-BZMF-QHDF", "--server", s.URL, "--ca", s.CA}, "no appointment has this code"},
	} {
		if _, stderr, err := apptest.Run(t, test.args...); err == nil ||
			!strings.Contains(stderr, test.want) {
			t.Errorf("%s: said %q, want something with %q", name, stderr, test.want)
		}
	}
}
