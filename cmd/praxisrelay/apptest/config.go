package apptest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"praxisrelay/cmd/praxisrelay/secrets"
)

// Edit replaces texts in a configuration file, which must contain them. pairs alternates old and
// new texts.
func Edit(t testing.TB, file string, pairs ...string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(string(text), pairs[i]) {
			t.Fatalf("%s does not hold %q", file, pairs[i])
		}
		text = []byte(strings.Replace(string(text), pairs[i], pairs[i+1], 1))
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// WriteConfig writes a complete configuration with its secrets.
func WriteConfig(t testing.TB) (file, folder string) {
	t.Helper()
	folder = t.TempDir()
	path := func(name string) string { return filepath.Join(folder, name) }
	s, err := secrets.New(Loopback)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"cert.pem": string(s.Pair.Chain), "key.pem": string(s.Pair.Key),
		"turn.secret": string(s.TURN[0]) + "\n", "pepper.secret": string(s.Peppers[0]) + "\n",
		"praxisrelay.yaml": strings.ReplaceAll(`
name: 127.0.0.1
listen:
  https: 127.0.0.1:0
  turn_udp: [127.0.0.1:0]
  turn_tcp: [127.0.0.1:0]
  turn_tls: [127.0.0.1:0]
tls: {certificate: DIR/cert.pem, key: DIR/key.pem}
relay: {secret_files: [DIR/turn.secret]}
signal: {registry: DIR/registry.db, pepper_file: DIR/pepper.secret, admin_socket: DIR/admin.sock, admin_listen: 127.0.0.1:0}
metrics: {listen: 127.0.0.1:0}
drain_timeout: 0s # tests stop in the middle of calls
`, "DIR", folder),
	} {
		if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path("praxisrelay.yaml"), folder
}
