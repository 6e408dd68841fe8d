package cli

import (
	"strings"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/config/lang"
	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/protocol"
)

// TestNothingForeignReachesTheTerminal checks that text from a configuration, a server, a proxy or
// a certificate is shown, but not obeyed.
func TestNothingForeignReachesTheTerminal(t *testing.T) {
	t.Parallel()
	const foreign, shown = "\x1b]0;owned\x07\u009b2J\n", `\x1b]0;owned\a\u009b2J\n`
	told := func(what, text string, lines int) {
		t.Helper()
		if strings.ContainsAny(text, "\x1b\x07\u009b") || !strings.Contains(text, shown) ||
			lines > 0 && strings.Count(text, "\n") != lines {
			t.Errorf("%s: %q", what, text)
		}
	}
	file, _ := apptest.WriteConfig(t)
	apptest.Edit(t, file, "relay: {", `relay: {"\x1b]0;owned\x07\x9b2J\n": 1, `)
	stdout, _, _ := apptest.Run(t, "config", "check", "--config", file)
	told("an unknown key", stdout, 0)
	_, stderr, _ := apptest.Run(t, "status", "--socket", "/nowhere/\x1b]0;owned\x07\u009b2J\\n")
	told("an error", stderr, 1)

	var b strings.Builder
	status := api.Status{
		NotReady: []string{foreign},
		Certificates: []api.CertificateStatus{{Names: []string{foreign}, Issuer: foreign,
			Problems: []string{foreign}}},
		Problems: []api.LoggedProblem{{Message: foreign, Details: foreign}},
	}
	if err := printStatus(&b, status, time.Now()); err != nil {
		t.Fatal(err)
	}
	told("status", b.String(), 0)
	if n := strings.Count(b.String(), `\x1b]0;owned\a`); n != 6 {
		t.Errorf("%d of 6 are shown in %q", n, b.String())
	}

	b.Reset()
	err := printExplanation(&b,
		api.ExplainedAppointment{Explanation: protocol.Explanation{Cause: foreign}, Ref: foreign},
		lang.English)
	if err != nil {
		t.Fatal(err)
	}
	told("explain", b.String(), 0)
}
