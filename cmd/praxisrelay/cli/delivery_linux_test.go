package cli_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/signal/admin/api"
)

// printInto runs a command whose output cannot be written, and returns its standard error.
func printInto(t *testing.T, out *os.File, args ...string) (stderr string) {
	t.Helper()
	defer out.Close()
	c := apptest.Program(args...)
	var errs strings.Builder
	c.Stdout, c.Stderr = out, &errs
	err := c.Run()
	if ended := new(exec.ExitError); !errors.As(err, &ended) || ended.ExitCode() != 1 {
		t.Errorf("%q ended with %v, want exit status 1", args, err)
	}
	return errs.String()
}

func fullDevice(t *testing.T) *os.File {
	t.Helper()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return full
}

func closedPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	return w
}

// TestUnprintedCodesAreTakenBack checks that no code or token stays valid that nobody received.
func TestUnprintedCodesAreTakenBack(t *testing.T) {
	t.Parallel()
	s := apptest.StartServe(t, nil)
	create := []string{"code", "create", "--socket", s.Socket,
		"--start", apptest.NextYear("YEAR-07-01 10:00")}
	with := func(args ...string) []string { return append(create[:len(create):len(create)], args...) }
	valid := func() (valid []api.ListedAppointment) {
		t.Helper()
		list, err := s.Admin.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range list {
			if !a.Revoked {
				valid = append(valid, a)
			}
		}
		return valid
	}
	const revoked = "; what could not be printed has been revoked"
	for _, test := range []struct {
		args  []string
		wants string // the end of its standard error
	}{
		{with(), revoked + "\n"},
		{with("--json"), revoked + "\n"},
		{with("--invite", "de", "--qr"), revoked + "\n"},
		{with("--count", "3"), revoked + "; 0 of 3 are made and printed: make the rest with --count 3\n"},
		{[]string{"code", "create", "--socket", s.Socket, "--test"}, revoked + "\n"},
		{[]string{"token", "create", "--socket", s.Socket, "--scope", "appointments"}, revoked + "\n"},
		{[]string{"token", "create", "--socket", s.Socket, "--scope", "appointments", "--json"}, revoked + "\n"},
	} {
		for _, out := range []struct {
			file *os.File
			why  string
		}{{fullDevice(t), "no space left on device"}, {closedPipe(t), "broken pipe"}} {
			if said := printInto(t, out.file, test.args...); !strings.HasSuffix(said, out.why+test.wants) {
				t.Errorf("%q says %q", test.args, said)
			}
		}
		if left := valid(); len(left) > 0 {
			t.Fatalf("%q left %+v", test.args, left)
		}
	}
	if tokens, err := s.Admin.Tokens(t.Context()); err != nil || len(tokens) > 0 {
		t.Errorf("there are tokens that nobody received: %+v, %v", tokens, err)
	}

	// A list keeps its complete rows and no partial one.
	disk := apptest.SmallDisk(t, "4k")
	file := filepath.Join(disk, "list.csv")
	apptest.WriteFile(t, file, strings.Repeat("x", 4096-400)+"\n", 0o600)
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	said := printInto(t, out, with("--count", "4")...)
	if !strings.HasSuffix(said, revoked+"; 1 of 4 are made and printed: make the rest with --count 3\n") {
		t.Errorf("said %q", said)
	}
	text, err := os.ReadFile(file)
	rows := strings.Split(string(text[min(int(before.Size()), len(text)):]), "\n")
	left := valid()
	if err != nil || len(rows) != 3 || rows[2] != "" || len(left) != 1 ||
		!strings.HasPrefix(rows[1], left[0].ID+",") {
		t.Errorf("the list has %q, %v, and %+v are valid", rows, err, left)
	}

	// A code that has replaced another one cannot be taken back.
	stdout, stderr, err := apptest.Run(t, with("--json")...)
	if err != nil {
		t.Fatal(stderr)
	}
	made := readCreated(t, stdout)
	c := apptest.Program("code", "reissue", made.Appointment, "--seat", "patient", "--socket", s.Socket)
	c.Stdin, c.Stdout = strings.NewReader(made.Seats[0].Code+"\n"), fullDevice(t)
	var errs strings.Builder
	c.Stderr = &errs
	if err := c.Run(); err == nil ||
		!strings.HasSuffix(errs.String(),
			"no space left on device; the seat's old code is invalid and nobody has the new one: reissue the code again\n") {
		t.Errorf("reissue: %v, %q", err, errs.String())
	}
}

func readCreated(t *testing.T, line string) (made apptest.MadeAppointment) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), &made); err != nil {
		t.Fatal(err)
	}
	return made
}

// TestWhatCannotBeTakenBackIsNamed checks that the error names what has to be revoked by hand.
func TestWhatCannotBeTakenBackIsNamed(t *testing.T) {
	t.Parallel()
	socket, acknowledged := apptest.StartAdmin(t, 2) // cannot revoke
	said := printInto(t, fullDevice(t), "code", "create", "--socket", socket,
		"--start", apptest.NextYear("YEAR-07-01 10:00"))
	ids := acknowledged()
	if want := "; what could not be printed is still valid and could not be revoked either: praxisrelay code revoke " + ids[0] + "\n"; !strings.HasSuffix(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}
}

// TestHalfFilesGo checks that partial invitations and backups are removed when the disk is full.
func TestHalfFilesGo(t *testing.T) {
	t.Parallel()
	s := apptest.StartServe(t, nil)
	disk := apptest.SmallDisk(t, "8k")
	stdout, stderr, err := apptest.Run(t, "code", "create", "--socket", s.Socket,
		"--start", apptest.NextYear("YEAR-07-01 10:00"), "--out", disk, "--format", "txt,html", "--json")
	if err == nil || !strings.HasSuffix(stderr,
		"no space left on device; the appointments are made, and their codes are printed\n") {
		t.Errorf("%v, said %q", err, stderr)
	}
	made := readCreated(t, stdout) // complete
	names, _ := filepath.Glob(filepath.Join(disk, "*"))
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil || !strings.Contains(string(text), made.Seats[0].Code) &&
			!strings.Contains(string(text), made.Seats[1].Code) ||
			strings.HasSuffix(name, ".html") && !strings.HasSuffix(string(text), "</html>\n") {
			t.Errorf("%s is a half: %q, %v", name, text, err)
		}
	}
	_, stderr, err = apptest.Run(t, "code", "backup", "--socket", s.Socket, filepath.Join(disk, "backup.db"))
	if err == nil || !strings.HasSuffix(stderr, "backup.db: no space left on device\n") {
		t.Errorf("%v, said %q", err, stderr)
	}
	if said := printInto(t, fullDevice(t), "firewall",
		"--config", apptest.InTree("docs", "praxisrelay.example.yaml"),
		"--address", "192.0.2.1"); said != "praxisrelay: write /dev/stdout: no space left on device\n" {
		t.Errorf("said %q", said)
	}
	if _, err := os.Stat(filepath.Join(disk, "backup.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half a backup was left: %v", err)
	}
}
