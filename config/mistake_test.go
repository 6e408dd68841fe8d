package config

import (
	"errors"
	"strings"
	"testing"
)

// TestExcerpts: the line and the position, and nothing that may be a secret.
func TestExcerpts(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"a value": {least + "listen:\n  turn_udp: [':3478', ':444']\n",
			"    4 |   turn_udp: [':3478', ':444']\n      |                       ^\n"},
		"a section": {least + "relay: yes\n", "    3 | relay: ...\n      |        ^\n"},
		"an unknown key": {least + "relay: {max_per_seat: 1, secret: hunter2}\n",
			"    3 | relay: ...\n      |           ^\n    3 | relay: ...\n      |           ^\n"},
		"no colon":    {least + "relay:\n  hunter2\n", ""},
		"a key below": {least + "relay:\n  secret: hunter2\n", "    4 |   secret: ...\n      |   ^\n"},
		"a password": {least + "log: {level: 'https://a:hunter2@example.org/'}\n",
			"    3 | log: {level: 'https://...@example.org/'}\n      |              ^\n"},
		"syntax":        {least + "listen: hunter2: x\n", "    3 | listen: ...\n      |         ^\n"},
		"a tab":         {least + "relay:\n\tpeers: hunter2\n", "    4 | \tpeers: ...\n      | ^\n"},
		"a secret file": {"hunter2\n", ""},
		"a key file":    {"-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n", ""},
		"a terminal's":  {least + "log: {level: \"\x1b[2J\"}\n", "    3 | log: {level: \"?[2J\"}\n      |              ^\n"},
	} {
		_, err := Parse("x.yaml", []byte(test.text))
		var mistakes Mistakes
		if !errors.As(err, &mistakes) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := ""
		for _, m := range mistakes {
			got += m.Excerpt()
		}
		if got != test.want || strings.Contains(got+err.Error(), "hunter2") {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, got, test.want)
		}
	}
}

// TestShowIsAConfiguration: its output reads back as the same values, with their origins.
func TestShowIsAConfiguration(t *testing.T) {
	text := least + `
listen:
  turn_udp: [":3478"]
relay:
  peers: open
  public_address: 2001:db8::1
  public_address_from: ""
  addresses: [192.0.2.1, 2001:db8::1]
  allow:
    - 10.0.0.0/8
  ports: 50000-60000
  max_session: 2h
log: {level: warn}
`
	c, source, err := read("x.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var shown strings.Builder
	if err := source.Show(&shown, c); err != nil {
		t.Fatal(err)
	}
	again, err := Parse("shown.yaml", []byte(shown.String()))
	if err != nil {
		t.Fatalf("%v\n%s", err, shown.String())
	}
	if !same(again, c) {
		t.Errorf("read again: %+v, want %+v", again, c)
	}
	for _, want := range []string{
		"name: relay.example.org # x.yaml:1\n", "  key: k.pem # x.yaml:2\n",
		"  turn_tcp: [\":3478\", \":3479\"] # default\n",
		"  ports: 50000-60000 # x.yaml:13\n", "  level: warn # x.yaml:15\n",
		"    cache: /var/lib/praxisrelay/acme # default\n",
		"  allow: [10.0.0.0/8] # x.yaml:12\n", "drain_timeout: 1m # default\n",
	} {
		if !strings.Contains(shown.String(), want) {
			t.Errorf("%q is not in\n%s", want, shown.String())
		}
	}
}
