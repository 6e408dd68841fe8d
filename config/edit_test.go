package config

import (
	"net/netip"
	"os"
	"strings"
	"testing"
)

// TestEdit changes values of the shipped example, whatever their content, and nothing else.
func TestEdit(t *testing.T) {
	example, err := os.ReadFile("../docs/praxisrelay.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want, err := Parse("x.yaml", example)
	if err != nil {
		t.Fatal(err)
	}
	want.Name = "video.example.org"
	want.TLS.Certificate, want.TLS.Key = `/srv/a "b" # c: 'd'.pem`, "/srv/$1\t\\k.pem"
	want.TLS.ACME.Email = "yes"
	want.Relay.PublicAddress = netip.MustParseAddr("2001:db8::1")
	want.Relay.SecretFiles = []string{"/srv/a, b.secret"}
	edited, err := Edit(example, map[string]any{
		"name": want.Name, "tls.certificate": want.TLS.Certificate, "tls.key": want.TLS.Key,
		"tls.acme.email": want.TLS.ACME.Email, "relay.public_address": want.Relay.PublicAddress,
		"relay.secret_files": want.Relay.SecretFiles,
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse("x.yaml", edited)
	if err != nil || !same(got, want) {
		t.Errorf("%v: %+v, want %+v", err, got, want)
	}
	before, after := strings.Split(string(example), "\n"), strings.Split(string(edited), "\n")
	if len(before) != len(after) {
		t.Fatalf("%d lines, want %d", len(after), len(before))
	}
	changed := 0
	for i := range before {
		_, commentBefore, _ := strings.Cut(before[i], " # ")
		if before[i] != after[i] {
			changed++
		}
		if !strings.HasSuffix(after[i], commentBefore) {
			t.Errorf("%q became %q", before[i], after[i])
		}
	}
	if changed != 6 {
		t.Errorf("%d lines changed", changed)
	}
	for _, key := range []string{"relay.none", "relay.allow[0]"} {
		if _, err := Edit(example, map[string]any{key: "x"}); err == nil {
			t.Errorf("%s was edited", key)
		}
	}
}
