package main

import (
	"strings"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/terminal"
	"praxisrelay/config/firewall"
	"praxisrelay/relay/check"
	"praxisrelay/relay/hostile"
	"praxisrelay/signal/explain"
	"praxisrelay/signal/protocol"
)

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"": "",
		"Prüfung: „gut“, 10\u00a0ms \\ \"x\"": "Prüfung: „gut“, 10\u00a0ms \\ \"x\"",
		"\x1b[2Ja":        `\x1b[2Ja`,
		"a\tb\r\nc\x7f":   `a\tb\r\nc\x7f`,
		"\u009b1m\u202eb": `\u009b1m\u202eb`,
		"\xffa":           `\xffa`,
		"\ufffd":          "\ufffd",
	} {
		if got := terminal.Printable(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestNothingForeignReachesTheTerminal: what a configuration, a server, a proxy or a
// certificate says is shown, and not obeyed.
func TestNothingForeignReachesTheTerminal(t *testing.T) {
	const foreign, shown = "\x1b]0;owned\x07\u009b2J\n", `\x1b]0;owned\a\u009b2J\n`
	told := func(what, text string, lines int) {
		t.Helper()
		if strings.ContainsAny(text, "\x1b\x07\u009b") || !strings.Contains(text, shown) || lines > 0 && strings.Count(text, "\n") != lines {
			t.Errorf("%s: %q", what, text)
		}
	}
	file, _ := writeConfig(t)
	edit(t, file, "relay: {", `relay: {"\x1b]0;owned\x07\x9b2J\n": 1, `)
	stdout, _, _ := run(t, "config", "check", "--config", file)
	told("an unknown key", stdout, 0)
	_, stderr, _ := run(t, "status", "--socket", "/nowhere/\x1b]0;owned\x07\u009b2J\\n")
	told("an error", stderr, 1)

	var b strings.Builder
	status := protocol.Status{
		NotReady:     []string{foreign},
		Certificates: []protocol.CertificateStatus{{Names: []string{foreign}, Issuer: foreign, Problems: []string{foreign}}},
		Problems:     []protocol.LoggedProblem{{Message: foreign, Details: foreign}},
	}
	if err := printStatus(&b, status, time.Now()); err != nil {
		t.Fatal(err)
	}
	told("status", b.String(), 0)
	if n := strings.Count(b.String(), `\x1b]0;owned\a`); n != 6 {
		t.Errorf("%d of 6 are shown in %q", n, b.String())
	}

	b.Reset()
	err := printExplanation(&b, protocol.ExplainedAppointment{Explanation: protocol.Explanation{Cause: foreign}, Ref: foreign}, explain.English)
	if err != nil {
		t.Fatal(err)
	}
	told("explain", b.String(), 0)

	b.Reset()
	attack := attackReport{language: firewall.English, Untried: []hostile.Try{{Group: hostile.Web, Name: "GET /", Answer: foreign}}}
	if err := attack.print(&b); err != nil {
		t.Fatal(err)
	}
	told("check --hostile", b.String(), 0)

	b.Reset()
	report := checkReport{language: firewall.English, Results: []check.Result{
		{ID: "proxy", Status: check.Failed, Detail: foreign},
		{ID: "nat", Status: check.OK, Values: check.Values{"mapped": foreign}},
		{ID: "tls", Status: check.Failed, Reason: check.Intercepted, Values: check.Values{"issuer": foreign}},
	}}
	report.Sentence = report.interceptor() + report.cause(&check.Result{ID: "tls", Reason: check.Untrusted, Values: check.Values{"issuer": foreign}})
	if err := report.print(&b); err != nil {
		t.Fatal(err)
	}
	told("check", b.String(), 0)
	if n := strings.Count(b.String(), shown); n != 4 {
		t.Errorf("%d of 4 are shown in %q", n, b.String())
	}
}
