package config

import (
	"strings"
	"testing"
)

func TestHostName(t *testing.T) {
	for text, want := range map[string]string{
		"relay.example.org":         "relay.example.org",
		"Relay.Example.ORG.":        "relay.example.org",
		"praxis-müller.test":        "xn--praxis-mller-klb.test",
		"PRAXIS-MU\u0308LLER.TEST.": "xn--praxis-mller-klb.test", // a decomposed letter, as macOS types it
		"xn--praxis-mller-klb.test": "xn--praxis-mller-klb.test",
		"straße.test":               "xn--strae-oqa.test", // as in browsers, not strasse
		"praxis。test":               "praxis.test",
		"r3---sn.example.org":       "r3---sn.example.org",
		"localhost":                 "localhost",
		"192.0.2.1":                 "192.0.2.1",
		"2001:db8::1":               "2001:db8::1",
	} {
		if got, err := HostName(text); err != nil || got != want {
			t.Errorf("%q is %q, %v, want %q", text, got, err, want)
		}
	}
	const url, wrong = "more than a name: write ", " is neither a DNS name nor an address ("
	for text, want := range map[string]string{
		"https://relay.example.org/#KTRW-BZMF-QHDF": url + "relay.example.org, without https://, port and path",
		"https://praxis-müller.test:8443/":          url + "praxis-müller.test, without https://, port and path",
		"relay.example.org:8443":                    url + "relay.example.org, without https://, port and path",
		"relay.example.org/":                        url + "relay.example.org, without https://, port and path",
		"user:secret@relay.example.org":             url + "relay.example.org, without https://, port and path",
		"[2001:db8::1]":                             url + "2001:db8::1, without https://, port and path",
		"praxis_müller.test":                        `"praxis_müller.test"` + wrong + "idna: disallowed rune U+005F): write it like relay.example.org",
		"relay example.org":                         `"relay example.org"` + wrong,
		"xn--zz--.test":                             `"xn--zz--.test"` + wrong + "idna: invalid label",
		"a..b":                                      `"a..b"` + wrong + "letters, digits and hyphens between dots are expected)",
		"relay.example.org..":                       `"relay.example.org.."` + wrong,
		"-a.test":                                   `"-a.test"` + wrong,
		"":                                          `""` + wrong,
		".":                                         `"."` + wrong,
		"https://":                                  `"https://"` + wrong,
		"fe80::1%eth0":                              `"fe80::1%eth0"` + wrong,
		strings.Repeat("ü", 60) + ".test":           wrong,
	} {
		if got, err := HostName(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestNameForPeople(t *testing.T) {
	for name, want := range map[string]string{
		"xn--praxis-mller-klb.test": "praxis-müller.test (xn--praxis-mller-klb.test)",
		"relay.example.org":         "relay.example.org", "192.0.2.1": "192.0.2.1",
	} {
		if got := NameForPeople(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}
