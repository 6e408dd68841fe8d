package cli_test

import (
	"os"
	"strings"
	"testing"

	"praxisrelay/cmd/praxisrelay/apptest"
)

// TestFirewallDocuments checks that the tables in the documents are the command's output for the
// example configuration.
func TestFirewallDocuments(t *testing.T) {
	t.Parallel()
	for language, document := range map[string]string{"en": apptest.InTree("docs/firewall.md"),
		"de": apptest.InTree("docs/de/firewall.md")} {
		args := []string{"firewall", "--config", "docs/praxisrelay.example.yaml",
			"--address", "192.0.2.10,2001:db8::10", "--format", "markdown", "--lang", language}
		c := apptest.Program(args...)
		c.Dir = apptest.InTree()
		out, err := c.Output()
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		sections := strings.Split(string(out), "\n## ")[1:]
		if len(sections) != 3 {
			t.Fatalf("%d sections in\n%s", len(sections), out)
		}
		for _, section := range sections {
			if !strings.Contains(string(text), "\n## "+strings.TrimSpace(section)+"\n") {
				t.Errorf("%s lacks the section below, which praxisrelay %s prints:\n## %s", document,
					strings.Join(args, " "), section)
			}
		}
	}
}

func TestFirewallCommand(t *testing.T) {
	file, _ := apptest.WriteConfig(t)
	example := apptest.InTree("docs/praxisrelay.example.yaml")
	for _, test := range []struct {
		args   []string
		stderr string
	}{
		{[]string{"--config", file},
			"listen.https: port 0 changes with every start, so no firewall rule can name it: give it a number"},
		{[]string{"--config", example, "--address", "relay"},
			`--address: ParseAddr("relay"): unable to parse IP: write it like 192.0.2.10 or 2001:db8::10`},
		{[]string{"--config", example, "--address", "192.0.2.10", "--management", "192.0.2.0"},
			`--management: netip.ParsePrefix("192.0.2.0"): no '/': write it like 192.0.2.0/24`},
		{[]string{"--config", example, "--address", "192.0.2.10", "--lang", "fr"},
			`--lang: language "fr" is unknown: use de or en`},
		{[]string{"--config", example, "--address", "192.0.2.10", "--format", "pdf"},
			`--format: format "pdf" is unknown: use one of text, markdown, csv, json, html, nftables, iptables, firewalld, ufw`},
	} {
		_, stderr, err := apptest.Run(t, append([]string{"firewall"}, test.args...)...)
		if err == nil || stderr != "praxisrelay: "+test.stderr+"\n" {
			t.Errorf("%q: %v: %s", test.args, err, stderr)
		}
	}
	stdout, stderr, err := apptest.Run(t, "firewall", "--config", example, "--address", "192.0.2.10",
		"--management", "198.51.100.0/24", "--lang", "de")
	if err != nil || stderr != "" || !strings.Contains(stdout, "relay.example.org (192.0.2.10)") ||
		!strings.Contains(stdout, "Verwaltungsnetz (198.51.100.0/24)") {
		t.Errorf("%v: %s\n%s", err, stderr, stdout)
	}
}
