package sitecheck

import (
	"regexp"
	"strings"
	"testing"

	"praxisrelay/config/lang"
	"praxisrelay/relay/check"
	"praxisrelay/relay/hostile"
)

// TestAttackSpeaksGerman also checks that the report names the server.
func TestAttackSpeaksGerman(t *testing.T) {
	report := AttackReport{
		Sentence: attackTexts.leaks.In("de", 1, 2), language: "de",
		Groups: []hostile.Count{{Group: hostile.Peers, Tried: 2, Refused: 1, Accepted: 1}},
		Accepted: []hostile.Try{{Group: hostile.Peers, Name: "ChannelBind to 10.0.0.1:50000",
			Answer: "success"}},
		Untried: []hostile.Try{{Group: hostile.Web, Name: "GET /metrics", Answer: "no answer"}},
		Server:  "https://relay.example.org",
	}
	var out strings.Builder
	if err := report.print(&out); err != nil {
		t.Fatal(err)
	}
	if got := regexp.MustCompile(` {2,}`).ReplaceAllString(out.String(), "  "); !strings.HasPrefix(got,
		"ANGENOMMEN: 1 von 2 Angriffen.\n\nAngenommen, und was der Server antwortete:\n  ChannelBind to 10.0.0.1:50000  success") ||
		!strings.Contains(got, "verbotene Adressen und fremde Termine  2  1  1  0") ||
		!strings.Contains(got, "Nicht versucht, und warum:\n  GET /metrics  no answer") {
		t.Errorf("%s", got)
	}
	for _, group := range hostile.Groups {
		if attackTexts.groups[group][0] == "" || attackTexts.groups[group][1] == "" {
			t.Errorf("%s has no words", group)
		}
	}
}

// TestNothingForeignReachesTheTerminal checks that text from a server, a proxy or a certificate is
// shown, but not obeyed.
func TestNothingForeignReachesTheTerminal(t *testing.T) {
	const foreign, shown = "\x1b]0;owned\x07\u009b2J\n", `\x1b]0;owned\a\u009b2J\n`
	told := func(what, text string) {
		t.Helper()
		if strings.ContainsAny(text, "\x1b\x07\u009b") || !strings.Contains(text, shown) {
			t.Errorf("%s: %q", what, text)
		}
	}
	var b strings.Builder
	attack := AttackReport{language: lang.English,
		Untried: []hostile.Try{{Group: hostile.Web, Name: "GET /", Answer: foreign}}}
	if err := attack.print(&b); err != nil {
		t.Fatal(err)
	}
	told("check --hostile", b.String())

	b.Reset()
	report := Report{language: lang.English, Results: []check.Result{
		{ID: "proxy", Status: check.Failed, Detail: foreign},
		{ID: "nat", Status: check.OK, Values: check.Values{"mapped": foreign}},
		{ID: "tls", Status: check.Failed, Reason: check.Intercepted, Values: check.Values{"issuer": foreign}},
	}}
	report.Sentence = report.interceptor() + report.cause(&check.Result{ID: "tls",
		Reason: check.Untrusted, Values: check.Values{"issuer": foreign}})
	if err := report.print(&b); err != nil {
		t.Fatal(err)
	}
	told("check", b.String())
	if n := strings.Count(b.String(), shown); n != 4 {
		t.Errorf("%d of 4 are shown in %q", n, b.String())
	}
}
