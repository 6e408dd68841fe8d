package sitecheck_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/cmd/praxisrelay/sitecheck"
	"praxisrelay/relay/hostile"
	"praxisrelay/signal/admin/api"
)

// attacked runs check --hostile and checks that its output contains no secret.
func attacked(t *testing.T, c *exec.Cmd) (report sitecheck.AttackReport, said string, code int) {
	t.Helper()
	var out, errs strings.Builder
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	if exited, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exited.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	_ = json.Unmarshal([]byte(out.String()), &report)
	said = out.String() + errs.String()
	for what, pattern := range map[string]string{
		"a code": `\b[BCDFGHJKLMNPQRSTWXZ]{4}-[BCDFGHJKLMNPQRSTWXZ]{4}-`, "a user name": `\b\d{10}:`,
		"a TURN password": `\b[A-Za-z0-9+/]{27}=`,
	} {
		if found := regexp.MustCompile(pattern).FindString(said); found != "" {
			t.Errorf("%s is in the output: %s", what, found)
		}
	}
	return report, said, code
}

// isTight checks that everything was tried and refused.
func isTight(t *testing.T, r sitecheck.AttackReport, relay string, code int, said string) {
	t.Helper()
	if code != 0 || r.Verdict != sitecheck.Tight || r.Relay != relay || len(r.Ways) != 4 ||
		len(r.Accepted)+len(r.Untried) != 0 {
		t.Fatalf("exit code %d: %.5000s", code, said)
	}
	for i, least := range map[int]int{0: 4 * 2 * len(hostile.Forbidden), 1: 4 * 2 * 13, 2: 4 * 30, 3: 10} {
		if count := r.Groups[i]; count.Tried < least || count.Refused != count.Tried {
			t.Errorf("%+v, want at least %d tries, all refused", count, least)
		}
	}
}

// TestAttackFindsNothing attacks a paired relay. The attack leaves nothing behind, pushes nobody
// out, and fires no alert.
func TestAttackFindsNothing(t *testing.T) {
	t.Parallel()
	s := apptest.StartServe(t, nil)
	created := s.Appoint(t, time.Now(), time.Now().Add(time.Hour))
	_, servers := s.Join(t, created.Seats[:1])
	client, _ := apptest.TURNClient(t, servers[0], "udp")
	relayed, err := client.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	report, said, code := attacked(t, apptest.Program("check", "--hostile", "--json", "--socket", s.Socket))
	isTight(t, report, "paired", code, said)
	if want := 12; report.Groups[3].Tried != want { // ten at the page's port, two where tokens are needed
		t.Errorf("%d requests of the admin API, want %d", report.Groups[3].Tried, want)
	}
	if err := client.CreatePermission(relayed.LocalAddr()); err != nil {
		t.Errorf("the running call: %v", err)
	}
	status, err := s.Admin.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range status.Problems {
		if problem.Message != "not every client will trust the certificate" {
			t.Errorf("the log has %+v", problem)
		}
	}
	if a := status.Allocations; a.UDP != 1 || a.TCP+a.TLS != 0 || status.Appointments.Open != 1 {
		t.Errorf("left behind: %+v, %+v", a, status.Appointments)
	}
	// Counted as in docs/monitoring/alerts.yaml, twice within an alert's time.
	metrics := s.Scrape(t)
	sum := func(pattern string) (sum int) {
		for _, match := range regexp.MustCompile(`(?m)^praxisrelay_`+pattern+
			` (\d+)$`).FindAllStringSubmatch(metrics, -1) {
			n, err := strconv.Atoi(match[1])
			if err != nil {
				t.Fatal(err)
			}
			sum += n
		}
		return sum
	}
	if n := sum(`relay_authentications_total\{result="(?:wrong_password|unknown_user)"\}`); n == 0 ||
		2*n > 50 {
		t.Errorf("%d wrong credentials", n)
	}
	if n := sum(`signal_admin_requests_total\{result="unauthorized"\}`); n != 2 {
		t.Errorf("%d wrong tokens", n)
	}
	if n := sum(`relay_limit_hits_total\{limit="[a-z_]+"\}`) + sum(`signal_limit_hits_total\{limit="[a-z_]+"\}`); n != 0 {
		t.Errorf("limits were hit %d times", n)
	}
	if n := sum(`signal_joins_total\{result="unknown-code"\}`); n != 0 {
		t.Errorf("%d wrong codes", n)
	}
	madeAndRevoked(t, s, 3, 2)
}

// madeAndRevoked stops the daemon, and checks how many appointments were made and revoked according
// to its log.
func madeAndRevoked(t *testing.T, s *apptest.Served, made, revoked int) {
	t.Helper()
	s.Stop(t)
	log := s.Stderr.String()
	if m, r := strings.Count(log, "an appointment was made"), strings.Count(log,
		"an appointment was revoked"); m != made || r != revoked {
		t.Errorf("%d appointments were made and %d revoked, want %d and %d", m, r, made, revoked)
	}
}

// TestOthersAreNotAttacked checks that neither a server with another certificate is attacked, nor
// one that has the right certificate but does not know the codes.
func TestOthersAreNotAttacked(t *testing.T) {
	t.Parallel()
	own := apptest.StartServe(t, nil)
	for name, test := range map[string]struct{ same, want string }{
		"another certificate": {"", "the certificate there is not that of the server behind " + own.Socket},
		"the same one":        {filepath.Dir(own.CA), "it does not take a code of the server behind " + own.Socket},
	} {
		t.Run(name, func(t *testing.T) {
			file, folder := apptest.WriteConfig(t)
			if test.same != "" {
				apptest.Edit(t, file, folder+"/cert.pem", test.same+"/cert.pem", folder+"/key.pem",
					test.same+"/key.pem")
			}
			other := apptest.NewServed(folder)
			other.Daemon = apptest.Start(t, apptest.Program("serve", "--config", file), true, other.Serving)
			before := requestsOf(other.Scrape(t))
			_, said, code := attacked(t, apptest.Program("check", "--hostile", "--socket", own.Socket,
				other.URL))
			if code != 1 || !strings.Contains(said, "is not attacked: ") ||
				!strings.Contains(said, test.want) {
				t.Errorf("exit code %d: %s, want %q", code, said, test.want)
			}
			if after := requestsOf(other.Scrape(t)); after != before {
				t.Errorf("it got the requests %s, before %s", after, before)
			}
		})
	}
	madeAndRevoked(t, own, 1, 1) // for the server with the right certificate
}

// TestAnAttackThatIsInterruptedLeavesNothing also checks that it gives no verdict.
func TestAnAttackThatIsInterruptedLeavesNothing(t *testing.T) {
	t.Parallel()
	s := apptest.StartServe(t, nil)
	until := func(what string, done func(api.Status) bool) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); ; {
			status, err := s.Admin.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if done(status) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: not in time: %+v", what, status)
			}
		}
	}
	c := apptest.Program("check", "--hostile", "--socket", s.Socket)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	until("it attacks", func(status api.Status) bool { return status.Allocations.TLS > 0 })
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	exited, ok := errors.AsType[*exec.ExitError](c.Wait())
	if !ok || exited.ExitCode() != 1 || !strings.Contains(out.String(), "the attack did not finish") {
		t.Errorf("%v: %s", exited, &out)
	}
	until("nothing is left", func(status api.Status) bool {
		a := status.Allocations
		return a.UDP+a.TCP+a.TLS == 0
	})
	madeAndRevoked(t, s, 2, 2)
}

// requestsOf returns the metrics of requests to the relay and the admin API, without those of the
// appliance itself.
func requestsOf(metrics string) string {
	return strings.Join(regexp.MustCompile(
		`(?m)^praxisrelay_(?:relay_(?:requests|authentications|allocations_granted|dropped_packets)|signal_admin_requests)_total\{.*$`).
		FindAllString(metrics, -1), "\n")
}
