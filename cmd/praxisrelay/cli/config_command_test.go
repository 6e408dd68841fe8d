package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"praxisrelay/cmd/praxisrelay/apptest"
)

// TestConfigCheckNamesEveryMistake checks that every mistake is reported with its line and place,
// and that the contents of the files are not printed.
func TestConfigCheckNamesEveryMistake(t *testing.T) {
	t.Parallel()
	file, folder := apptest.WriteConfig(t)
	stdout, stderr, err := apptest.Run(t, "config", "check", "--config", file)
	if err != nil || !strings.HasSuffix(stdout, file+": no mistakes\n") {
		t.Fatalf("%q %q", stdout, stderr)
	}
	for _, want := range []string{
		"warning: " + file + ":4: listen.https: not on port 443",
		"    4 |   https: 127.0.0.1:0\n      |          ^\n",
		"cert.pem: it vouches for itself",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is not in\n%s", want, stdout)
		}
	}

	const canary = "a-secret-that-is-in-a-file"
	replace := func(pairs ...string) func() { return func() { apptest.Edit(t, file, pairs...) } }
	write := func(name, text string, mode os.FileMode) func() {
		return func() { apptest.WriteFile(t, filepath.Join(folder, name), text, mode) }
	}
	another := apptest.SelfSigned(t, "relay.example.org")
	for name, test := range map[string]struct {
		spoil func()
		want  []string
	}{
		"the file": {replace("turn_udp: [", "turn_udp: [':444', ", "relay: {", "relay: {peers: any, "),
			[]string{
				":5: listen.turn_udp[0]: \":444\": browsers use TURN",
				"    5 |   turn_udp: [':444', 127.0.0.1:0]\n      |              ^\n",
				":9: relay.peers: \"any\" is neither", "2 mistakes in "}},
		"the file and what it names": {func() {
			replace("relay: {", "relay: {peers: any, ")()
			write("turn.secret", canary, 0o604)()
			write("cert.pem", another.Certificate, 0o600)()
		}, []string{":9: relay.peers: ", ":9: relay.secret_files[0]: everybody",
			":8: tls.certificate: ", "3 mistakes in "}},
		"the name": {replace("name: 127.0.0.1", "name: ''"), []string{":2: name: missing", "1 mistake in "}},
		"secrets": {func() {
			write("turn.secret", canary, 0o604)()
			write("pepper.secret", canary[:4], 0o600)()
		}, []string{":9: relay.secret_files[0]: everybody", ":10: signal.pepper_file: ",
			"holds 4 characters", "    9 | relay: {secret_files: [" + os.TempDir(), "2 mistakes in "}},
		"one secret": {func() {
			write("turn.secret", canary, 0o600)()
			write("pepper.secret", canary, 0o600)()
		}, []string{":10: signal.pepper_file: holds the same secret as relay.secret_files[0]",
			"1 mistake in "}},
		"nothing there": {func() { os.Remove(filepath.Join(folder, "key.pem")) },
			[]string{":8: tls.key: ", "key.pem", "    8 | tls: {certificate: "}},
		"another name": {func() {
			write("cert.pem", another.Certificate, 0o600)()
			write("key.pem", another.Key, 0o600)()
		}, []string{":8: tls.certificate: ", "is for relay.example.org and not for 127.0.0.1"}},
		"another key": {write("key.pem", another.Key, 0o600),
			[]string{":8: tls.certificate: ", "does not match"}},
		"a secret in place of the configuration": {write("praxisrelay.yaml", canary+"\n", 0o600),
			[]string{"a section was expected"}},
		"no configuration": {func() { os.Remove(file) }, []string{"no such file", "--config"}},
	} {
		t.Run(name, func(t *testing.T) {
			file, folder = apptest.WriteConfig(t)
			test.spoil()
			stdout, stderr, err := apptest.Run(t, "config", "check", "--config", file)
			if err == nil {
				t.Errorf("no mistake: %q", stdout)
			}
			for _, want := range test.want {
				if !strings.Contains(stdout+stderr, want) {
					t.Errorf("%q is not in\n%s%s", want, stdout, stderr)
				}
			}
			if strings.Contains(stdout+stderr, canary[:4]) || strings.Contains(stdout, "warning: ") {
				t.Errorf("said\n%s%s", stdout, stderr)
			}
		})
	}
}

// TestConfigShow checks that the output is the same configuration.
func TestConfigShow(t *testing.T) {
	file, folder := apptest.WriteConfig(t)
	stdout, stderr, err := apptest.Run(t, "config", "show", "--config", file)
	if err != nil {
		t.Fatal(stderr)
	}
	for _, want := range []string{"name: 127.0.0.1 # " + file + ":2\n", "  peers: paired # default\n",
		"pepper_file: " + folder} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is not in\n%s", want, stdout)
		}
	}
	shown := filepath.Join(folder, "shown.yaml")
	apptest.WriteFile(t, shown, stdout, 0o600)
	again, _, err := apptest.Run(t, "config", "show", "--config", shown)
	if err != nil || !strings.Contains(again, "  peers: paired # "+shown+":") {
		t.Errorf("%v\n%s", err, again)
	}
}
