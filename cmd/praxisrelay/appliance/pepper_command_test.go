package appliance_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
)

// TestAnotherPepper checks that a pepper that fits no code is refused in each way in which it could
// come into effect, and that one that fits only some codes gives a warning wherever an
// administrator may look.
func TestAnotherPepper(t *testing.T) {
	t.Parallel()
	const none = "signal.pepper_file: %s is not the pepper of the 2 codes in "
	s := apptest.StartServe(t, nil)
	folder := filepath.Dir(s.Socket)
	config, pepper := filepath.Join(folder, "praxisrelay.yaml"), filepath.Join(folder, "pepper.secret")
	notThat := strings.Replace(none, "%s", pepper, 1)
	old, err := os.ReadFile(pepper)
	if err != nil {
		t.Fatal(err)
	}
	const fresh = "another pepper, made later\n"
	write := func(text string) { apptest.WriteFile(t, pepper, text, 0o600) }
	says := func(what string, refused bool, want string, args ...string) {
		t.Helper()
		stdout, stderr, err := apptest.Run(t, append(args, "--config", config)...)
		if (err != nil) != refused || !strings.Contains(stdout+stderr, want) {
			t.Errorf("%s: %v, and %q is not in\n%s%s", what, err, want, stdout, stderr)
		}
	}
	const all, some = "no mistakes", "2 of 4 codes were made with a pepper that is not in it"
	first := s.Appoint(t, time.Now(), time.Now().Add(time.Hour))

	// A running daemon has the registry locked, so it is asked.
	write(fresh)
	says("another pepper", true, notThat, "config", "check")
	says("another pepper", true, notThat, "reload")
	s.Join(t, first.Seats)
	write(fresh + string(old))
	says("both", false, all, "config", "check")
	says("both", false, "in effect now: signal.pepper_file", "reload")
	write(fresh)
	says("the second line is removed too soon", true, notThat, "reload")
	second := s.Appoint(t, time.Now(), time.Now().Add(2*time.Hour))
	says("codes of both", false, "warning: "+config+":10: signal.pepper_file: "+some, "config", "check")
	says("codes of both", false, "in effect now", "reload")
	s.Join(t, second.Seats)
	status, err := s.Admin.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(status.Warnings) != 1 ||
		!strings.HasPrefix(status.Warnings[0], "pepper: some codes are unknown") || len(status.NotReady) > 0 {
		t.Errorf("the status has the warnings %q, and is not ready for %q", status.Warnings, status.NotReady)
	}
	if stdout, _, err := apptest.Run(t, "status",
		"--check", "--socket", s.Socket); !strings.HasPrefix(stdout, "WARNING - pepper: ") {
		t.Errorf("%v: %s", err, stdout)
	}
	for path, want := range map[string]string{
		"/readyz":  "ok\nwarning: pepper: some codes are unknown",
		"/metrics": "\npraxisrelay_check_ok{check=\"pepper\"} 0\n", "/healthz": "ok\n",
	} {
		response, err := http.Get(s.Monitoring + path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v, and %q is not in\n%.300s", path, err, want, text)
		}
	}
	s.Stop(t)
	if !strings.Contains(s.Stderr.String(),
		`level=WARN msg="codes are unknown: their pepper is gone" codes=2 of=4`) {
		t.Errorf("the log has\n%s", s.Stderr)
	}

	// Now nothing has the registry open.
	says("codes of both, without a daemon", false, some, "config", "check")
	write(string(old))
	says("the other of both", false, some, "config", "check")
	write("a pepper of neither\n")
	says("a pepper of neither", true, "is not the pepper of the 4 codes", "config", "check")
	_, stderr, err := apptest.Run(t, "serve", "--config", config)
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != apptest.ExConfig ||
		!strings.Contains(stderr, "is not the pepper of the 4 codes") {
		t.Errorf("a daemon with a pepper of neither: %v\n%s", err, stderr)
	}
}
