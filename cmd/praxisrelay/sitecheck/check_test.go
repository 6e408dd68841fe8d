package sitecheck_test

import (
	"encoding/json"
	"errors"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/cmd/praxisrelay/sitecheck"
	"praxisrelay/relay/check"
)

// TestCheckWithTheCodesOfAConsultation checks that the doctor's code leads to a verdict. The
// patient's gives no relay before the doctor lets them in, which is not the network's fault.
func TestCheckWithTheCodesOfAConsultation(t *testing.T) {
	t.Parallel()
	demo, _ := apptest.StartDemo(t)
	checking := func(args ...string) (report sitecheck.Report, stdout string, code int) {
		stdout, stderr, err := apptest.Run(t,
			append([]string{"check", "--insecure", "--quick", "--proxy", "none"}, args...)...)
		if exited, ok := errors.AsType[*exec.ExitError](err); ok {
			code = exited.ExitCode()
		} else if err != nil {
			t.Fatal(err)
		}
		_ = json.Unmarshal([]byte(stdout), &report)
		return report, stdout + stderr, code
	}
	if _, said, code := checking(demo.Doctor.Link, "--lang", "de"); code != 0 ||
		!strings.HasPrefix(said, "Videosprechstunden funktionieren von hier aus in voller Qualität.\n") ||
		strings.Contains(said, demo.Doctor.Code) {
		t.Errorf("the doctor's: %d %s", code, said)
	}
	report, said, code := checking(demo.URL, "--json", "--code", demo.Patient.Code)
	if code != 1 || report.Verdict != check.Unknown || len(report.Open) != 0 ||
		!strings.Contains(report.Sentence, "use a test code") {
		t.Errorf("the patient's: %d %s", code, said)
	}
	report, said, code = checking(demo.URL, "--json", "--code", "BBBB-BBBB-BBBB")
	if code != 1 || report.Verdict != check.Unknown ||
		!strings.Contains(report.Sentence, "the code is not accepted") {
		t.Errorf("nobody's: %d %s", code, said)
	}
	report, said, code = checking(demo.Doctor.Link, "--json", "--fingerprint", strings.Repeat("0", 64))
	if code != 2 || len(report.Exempt) == 0 && !strings.Contains(report.Sentence, "broken open") {
		t.Errorf("with a wrong fingerprint: %d %s", code, said)
	}
}

// TestCheckNamesTheRemedy checks that the report says to trust an issuer, fix a proxy or start an
// appliance if that is the remedy, and not to open ports that are open.
func TestCheckNamesTheRemedy(t *testing.T) {
	t.Parallel()
	demo, _ := apptest.StartDemo(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	nobody := closed.Addr().String()
	for name, test := range map[string]struct {
		args []string
		want string
		open bool // the report asks to open the page's row
	}{
		"an issuer that is not trusted": {[]string{demo.URL, "--proxy", "none"},
			"does not trust the certificate's issuer (CN=", false},
		"a proxy that is down": {[]string{demo.URL, "--insecure", "--proxy", "http://" + nobody},
			"the proxy cannot be reached (" + nobody + ")", false},
		"an appliance that is down": {[]string{"https://" + nobody + "/",
			"--insecure", "--proxy", "none"}, "find out first, from another network", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, _ := apptest.Run(t,
				append([]string{"check", "--json", "--quick", "--code", demo.Doctor.Code}, test.args...)...)
			var report sitecheck.Report
			if err := json.Unmarshal([]byte(stdout), &report); err != nil {
				t.Fatalf("%v: %s%s", err, stdout, stderr)
			}
			open := slices.ContainsFunc(report.Open, func(row sitecheck.Row) bool {
				return row.ID == "client-https"
			})
			if report.Verdict != check.Fails || !strings.Contains(report.Sentence, test.want) ||
				open != test.open {
				t.Errorf("%s: %s\nclient-https to open: %v", report.Verdict, report.Sentence, open)
			}
		})
	}
}

func TestCheckRefusesMistakes(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no URL":    {[]string{"check"}, "accepts 1 arg"},
		"not https": {[]string{"check", "http://relay.example.org/"}, "write https:// and its name"},
		"no code":   {[]string{"check", "https://relay.example.org/"}, "code"},
		"a bad fingerprint": {[]string{"check", "https://relay.example.org/",
			"--fingerprint", "12"}, "64 hexadecimal digits"},
		"a bad proxy": {[]string{"check", "https://relay.example.org/",
			"--proxy", "proxy"}, "http://proxy.example.org:3128"},
		"a bad language": {[]string{"check", "https://relay.example.org/", "--lang", "xx"}, "--lang:"},
		"a socket without an attack": {[]string{"check", "https://relay.example.org/", "--socket", "x"},
			"--socket is for --hostile"},
		"an attack with a code":     {[]string{"check", "--hostile", "--code", "-"}, "[code hostile]"},
		"an attack through a proxy": {[]string{"check", "--hostile", "--proxy", "none"}, "[hostile proxy]"},
		"an attack on two": {[]string{"check", "--hostile", "https://a.example.org/",
			"https://b.example.org/"}, "at most 1 arg"},
		"an attack without a socket": {[]string{"check", "--hostile", "--socket", "/nowhere"}, "nobody serves /nowhere"},
		"a long test":                {[]string{"code", "create", "--test", "--minutes", "121"}, "use 1 to 120"},
		"only minutes":               {[]string{"code", "create", "--start", "now", "--minutes", "5"}, "use it with --test"},
		"a test of a day":            {[]string{"code", "create", "--test", "--count", "2"}, "[count test]"},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, err := apptest.Run(t, test.args...)
			exited, ok := errors.AsType[*exec.ExitError](err)
			if !ok || exited.ExitCode() != 1 || stdout != "" || !strings.Contains(stderr, test.want) {
				t.Errorf("%v %q %q, want %q", err, stdout, stderr, test.want)
			}
		})
	}
}
