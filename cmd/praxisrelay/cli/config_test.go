package cli

import (
	"strings"
	"testing"

	"praxisrelay/config"
)

// TestUnusual checks that each warning names its key, and that the defaults give no warning.
func TestUnusual(t *testing.T) {
	if got := unusual(config.Default()); len(got) != 0 {
		t.Errorf("the defaults: %v", got)
	}
	for change, want := range map[string]string{
		"listen: {https: ':8443'}": "listen.https: ", "listen: {turn_udp: []}": "listen.turn_udp: ",
		"relay: {peers: open}": "relay.peers: ", "relay: {allow: [10.0.0.0/8]}": "relay.allow[0]: ",
		"signal: {admission: none}": "signal.admission: ", "metrics: {listen: ':9478'}": "metrics.listen: ",
		"log: {addresses: full}": "log.addresses: ",
	} {
		c, err := config.Parse("x.yaml",
			[]byte("name: relay.example.org\ntls: {certificate: c, key: k}\n"+change))
		if err != nil {
			t.Fatal(err)
		}
		if got := unusual(c); len(got) != 1 || !strings.HasPrefix(got[0].Error(), want) {
			t.Errorf("%s: %v", change, got)
		}
	}
}
