package main

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

	"praxisrelay/signal/appointment"
	"praxisrelay/signal/protocol"
)

// TestAnotherPepper: one that knows no code is refused, by each way in which it could come
// into effect, and one that knows some is warned of wherever somebody may look.
func TestAnotherPepper(t *testing.T) {
	t.Parallel()
	const none = "signal.pepper_file: %s is not the pepper of the 2 codes in "
	s := startServe(t, nil)
	folder := filepath.Dir(s.socket)
	config, pepper := filepath.Join(folder, "praxisrelay.yaml"), filepath.Join(folder, "pepper.secret")
	notThat := strings.Replace(none, "%s", pepper, 1)
	old, err := os.ReadFile(pepper)
	if err != nil {
		t.Fatal(err)
	}
	const fresh = "another pepper, made later\n"
	write := func(text string) { writeFile(t, pepper, text, 0o600) }
	says := func(what string, refused bool, want string, args ...string) {
		t.Helper()
		stdout, stderr, err := run(t, append(args, "--config", config)...)
		if (err != nil) != refused || !strings.Contains(stdout+stderr, want) {
			t.Errorf("%s: %v, and %q is not in\n%s%s", what, err, want, stdout, stderr)
		}
	}
	const all, some = "no mistakes", "2 of 4 codes were made with a pepper that is not in it"
	first := s.appoint(t, time.Now(), time.Now().Add(time.Hour))

	// A running daemon has the registry to itself; it is asked.
	write(fresh)
	says("another pepper", true, notThat, "config", "check")
	says("another pepper", true, notThat, "reload")
	s.join(t, first.Seats)
	write(fresh + string(old))
	says("both", false, all, "config", "check")
	says("both", false, "in effect now: signal.pepper_file", "reload")
	write(fresh)
	says("the second line is removed too soon", true, notThat, "reload")
	second := s.appoint(t, time.Now(), time.Now().Add(2*time.Hour))
	says("codes of both", false, "warning: "+config+":10: signal.pepper_file: "+some, "config", "check")
	says("codes of both", false, "in effect now", "reload")
	s.join(t, second.Seats)
	status, err := s.admin.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(status.Warnings) != 1 || !strings.HasPrefix(status.Warnings[0], "pepper: some codes are unknown") || len(status.NotReady) > 0 {
		t.Errorf("the status has the warnings %q, and is not ready for %q", status.Warnings, status.NotReady)
	}
	if stdout, _, err := run(t, "status", "--check", "--socket", s.socket); !strings.HasPrefix(stdout, "WARNING - pepper: ") {
		t.Errorf("%v: %s", err, stdout)
	}
	for path, want := range map[string]string{
		"/readyz": "ok\nwarning: pepper: some codes are unknown", "/metrics": "\npraxisrelay_check_ok{check=\"pepper\"} 0\n", "/healthz": "ok\n",
	} {
		response, err := http.Get(s.monitoring + path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v, and %q is not in\n%.300s", path, err, want, text)
		}
	}
	s.stop(t)
	if !strings.Contains(s.stderr.String(), `level=WARN msg="codes are unknown: their pepper is gone" codes=2 of=4`) {
		t.Errorf("the log has\n%s", s.stderr)
	}

	// Now the registry is nobody's.
	says("codes of both, without a daemon", false, some, "config", "check")
	write(string(old))
	says("the other of both", false, some, "config", "check")
	write("a pepper of neither\n")
	says("a pepper of neither", true, "is not the pepper of the 4 codes", "config", "check")
	_, stderr, err := run(t, "serve", "--config", config)
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != exConfig || !strings.Contains(stderr, "is not the pepper of the 4 codes") {
		t.Errorf("a daemon with a pepper of neither: %v\n%s", err, stderr)
	}
}

// TestCodesOfAnotherPepperAreForgotten when their appointments are revoked; those of what is
// over are not counted.
func TestCodesOfAnotherPepperAreForgotten(t *testing.T) {
	t.Parallel()
	registry, err := appointment.Open(filepath.Join(t.TempDir(), "registry.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer registry.Close()
	old, fresh := []byte("a pepper of some length"), []byte("another pepper entirely")
	was, err := appointment.NewPepper(old)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	pastAppointment(t, registry, was, now)
	pastAppointment(t, registry, was, now.Add(2*time.Hour))
	is, err := appointment.NewPepper(fresh)
	if err != nil {
		t.Fatal(err)
	}
	a := &appliance{registry: registry, pepper: is}
	fit, err := a.fit(is)
	if err != nil || fit.Known != 0 || fit.Unknown != 2 || !fit.Until.Equal(now.Add(time.Hour)) {
		t.Fatalf("%+v, %v", fit, err)
	}
	if fit, err := a.fitPepper(fresh, old); err != nil || fit != (protocol.PepperFit{Known: 2}) {
		t.Errorf("with both: %+v, %v", fit, err)
	}
	a.fitted.set(fit)
	list, err := registry.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, unknown := range list {
		if _, err := registry.Revoke(t.Context(), unknown.ID, now); err != nil {
			t.Fatal(err)
		}
	}
	if a.checkPepper() == nil {
		t.Error("the registry was read again at once")
	}
	a.fitted.at = now.Add(-2 * time.Minute)
	if err := a.checkPepper(); err != nil {
		t.Errorf("they are revoked, and it says %v", err)
	}
}
