package setup_test

import (
	"crypto/x509"
	"encoding/pem"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/config"
)

// initialize runs init without questions.
func initialize(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	return apptest.Run(t, append([]string{"init", "--non-interactive"}, args...)...)
}

// letsEncrypt is the directory that init suggests.
const letsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

// contents is everything in a folder: files with their permissions and text, links with their
// targets.
func contents(t *testing.T, folder string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, _ := filepath.Rel(folder, path)
		if entry.Type()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(path)
			all[name] = "-> " + target
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		all[name] = info.Mode().String() + " " + string(text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func sameContents(a, b map[string]string) bool {
	for name := range a {
		if a[name] != b[name] {
			return false
		}
	}
	return len(a) == len(b)
}

// saysNoSecret checks that nothing from a folder's secrets and keys was printed.
func saysNoSecret(t *testing.T, folder, said string) {
	t.Helper()
	for name, text := range contents(t, folder) {
		if strings.HasSuffix(name, ".secret") &&
			strings.Contains(said, strings.TrimSpace(text[len("-rw------- "):])) {
			t.Errorf("%s was printed", name)
		}
	}
	if strings.Contains(said, "PRIVATE KEY") {
		t.Error("a key was printed")
	}
}

// TestInitIsWhatADaemonStartsFrom checks that init makes all files with the right permissions, and
// that a second run only makes missing secrets.
func TestInitIsWhatADaemonStartsFrom(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "etc", "praxisrelay")
	file := filepath.Join(folder, "praxisrelay.yaml")
	certificate, key := apptest.SelfSigned(t, "127.0.0.1").Write(t)
	args := []string{"--config", file, "--name", "127.0.0.1", "--cert", certificate, "--key", key}
	stdout, stderr, err := initialize(t, args...)
	if err != nil {
		t.Fatal(stderr)
	}
	saysNoSecret(t, folder, stdout+stderr)
	made := contents(t, folder)
	for name, want := range map[string]string{
		"praxisrelay.yaml": "-rw-r--r-- # The configuration", "turn.secret": "-rw------- ", "pepper.secret": "-rw------- ",
		"tls/fullchain.pem": "-> " + certificate, "tls/privkey.pem": "-> " + key,
	} {
		if !strings.HasPrefix(made[name], want) {
			t.Errorf("%s is %.40q", name, made[name])
		}
		if !strings.Contains(stdout, "  "+filepath.Join(folder, name)+"\n") {
			t.Errorf("%s is not reported as made", name)
		}
	}
	if len(made) != 5 || made["turn.secret"] == made["pepper.secret"] ||
		len(made["turn.secret"]) != len("-rw------- ")+45 {
		t.Errorf("made %d files", len(made))
	}
	for _, want := range []string{"443/TCP", "\nNEXT\n", "praxisrelay serve --config " + file,
		"tls.certificate: " + certificate + ": it vouches for itself"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is not in\n%s", want, stdout)
		}
	}

	stdout, _, err = initialize(t, args...)
	if err != nil || !strings.Contains(stdout, file+" exists and is kept") ||
		!sameContents(contents(t, folder), made) {
		t.Errorf("a second run: %v\n%s", err, stdout)
	}
	if err := os.Remove(filepath.Join(folder, "turn.secret")); err != nil {
		t.Fatal(err)
	}
	stdout, _, err = initialize(t, args...)
	again := contents(t, folder)
	if err != nil || !strings.HasPrefix(again["turn.secret"], "-rw------- ") ||
		again["turn.secret"] == made["turn.secret"] {
		t.Errorf("a missing secret: %v\n%s", err, stdout)
	}
	made["turn.secret"] = again["turn.secret"]
	if !sameContents(again, made) {
		t.Error("a run that makes a secret changed something else")
	}

	apptest.Edit(t, file, `https: ":443"`, "https: 127.0.0.1:0", `turn_udp: [":3478", ":3479"]`,
		"turn_udp: [127.0.0.1:0]",
		`turn_tcp: [":3478", ":3479"]`, "turn_tcp: [127.0.0.1:0]", `turn_tls: [":5349", ":5350"]`,
		"turn_tls: [127.0.0.1:0]",
		"/var/lib/praxisrelay/registry.db", filepath.Join(folder, "registry.db"),
		"/run/praxisrelay/admin.sock", filepath.Join(folder, "admin.sock"), `listen: "127.0.0.1:9478"`,
		`listen: ""`)
	s := apptest.NewServed(folder)
	s.Daemon = apptest.Start(t, apptest.Program("serve", "--config", file), true, s.Serving)
	s.Stop(t)

	// Without its pepper no code can be found; a new pepper would only hide that.
	if err := os.Remove(filepath.Join(folder, "pepper.secret")); err != nil {
		t.Fatal(err)
	}
	_, stderr, err = initialize(t, args...)
	if _, there := contents(t, folder)["pepper.secret"]; err == nil || there ||
		!strings.Contains(stderr, "restore it") {
		t.Errorf("a lost pepper: %v %s", err, stderr)
	}
}

// TestInitRefuses checks that init refuses what cannot work, with a remedy, and changes nothing.
func TestInitRefuses(t *testing.T) {
	t.Parallel()
	good := apptest.SelfSigned(t, "relay.example.org")
	other := apptest.SelfSigned(t, "other.example.org")
	certificate, key := good.Write(t)
	otherCertificate, otherKey := other.Write(t)
	over, overKey := apptest.SelfSigned(t, "relay.example.org", func(c *x509.Certificate) {
		c.NotAfter = time.Now().Add(-time.Minute)
	}).Write(t)
	name, files := []string{"--name", "relay.example.org"}, []string{"--cert", certificate, "--key", key}
	all := append(name, files...)
	const canary = "a-secret"
	nothing := func(string) {}
	for what, test := range map[string]struct {
		args    []string
		prepare func(folder string)
		want    string
	}{
		"no name": {files, nothing, "--name is missing"},
		"nothing": {nil, nothing,
			"--name is missing: give the DNS name that clients use, like relay.example.org\npraxisrelay: --cert and --key are missing"},
		"no certificate": {name, nothing, "--cert and --key are missing"},
		"no key":         {append(name, "--cert", certificate), nothing, "--cert and --key are missing"},
		"both":           {append(all, "--acme"), nothing, "leave out --cert and --key"},
		"half an account": {append(name, "--acme", "--eab-key-id", "x"), nothing,
			"tls.acme.eab_key_id: belongs to tls.acme.eab_key_file"},
		"no account's key": {append(name, "--acme", "--eab-key-id", "x",
			"--eab-key-file", "/nonexistent"), nothing, "--eab-key-file: stat /nonexistent: no such file"},
		"no directory":      {append(all, "--acme-email", "it@example.org"), nothing, "--acme is missing"},
		"a directory apart": {append(name, "--acme", "https://acme.example.org/"), nothing, "--acme=URL"},
		"a bad directory":   {append(name, "--acme=acme.example.org"), nothing, "is not the URL of an ACME directory"},
		"a bad name": {append(files, "--name", "https://relay.example.org/"), nothing,
			"name: more than a name: write relay.example.org"},
		"a name with line breaks": {append(files, "--name", "relay\nrelay: {peers: open}"), nothing, "is neither a DNS name"},
		"a bad address":           {append(all, "--public-address", "here"), nothing, "--public-address: \"here\""},
		"loopback": {append(all, "--public-address", "127.0.0.1"), nothing,
			"relay.public_address: 127.0.0.1 is not an address that clients could reach"},
		"no STUN server": {append(all, "--public-address", "auto", "--stun", "127.0.0.1"), nothing, "--stun: "},
		"another name's": {append(name, "--cert", otherCertificate, "--key", otherKey),
			nothing, "is for other.example.org and not for relay.example.org"},
		"another key":              {append(name, "--cert", certificate, "--key", otherKey), nothing, "does not match"},
		"over":                     {append(name, "--cert", over, "--key", overKey), nothing, "renew it"},
		"no such file":             {append(name, "--cert", certificate, "--key", "/nonexistent"), nothing, "no such file"},
		"a file that is not a key": {append(name, "--cert", certificate, "--key", certificate), nothing, "tls"},
		"a short secret": {all, func(folder string) {
			apptest.WriteFile(t, filepath.Join(folder, "turn.secret"), canary[:4], 0o600)
		},
			"relay.secret_files[0]: "},
		"a secret for everybody": {all, func(folder string) {
			apptest.WriteFile(t, filepath.Join(folder, "pepper.secret"), strings.Repeat(canary, 4), 0o644)
		},
			"signal.pepper_file: everybody"},
		"one secret": {all, func(folder string) {
			for _, name := range []string{"pepper.secret", "turn.secret"} {
				apptest.WriteFile(t, filepath.Join(folder, name), strings.Repeat(canary, 4), 0o600)
			}
		}, "holds the same"},
		"another certificate in place": {all, func(folder string) {
			if err := os.Mkdir(filepath.Join(folder, "tls"), 0o755); err != nil {
				t.Fatal(err)
			}
			apptest.WriteFile(t, filepath.Join(folder, "tls", "privkey.pem"), other.Key, 0o600)
		}, "tls/privkey.pem exists and is not " + key},
		"a configuration with mistakes": {all, func(folder string) {
			apptest.WriteFile(t, filepath.Join(folder, "praxisrelay.yaml"), "nam: x\n", 0o600)
		},
			"praxisrelay.yaml:1: nam: unknown key"},
		"a file for a folder": {append(all, "--config", filepath.Join(certificate, "praxisrelay.yaml")),
			nothing, "not a directory"},
		"nowhere": {append(all, "--config", "/proc/praxisrelay/praxisrelay.yaml"), nothing, "/proc/praxisrelay"},
	} {
		t.Run(what, func(t *testing.T) {
			folder := t.TempDir()
			test.prepare(folder)
			before := contents(t, folder)
			stdout, stderr, err := initialize(t,
				append([]string{"--config", filepath.Join(folder, "praxisrelay.yaml")}, test.args...)...)
			if err == nil || !strings.Contains(stderr, test.want) {
				t.Errorf("%v: %q, want %q", err, stderr, test.want)
			}
			if strings.Contains(stdout+stderr, canary[:4]) {
				t.Errorf("a secret was printed: %s%s", stdout, stderr)
			}
			if after := contents(t, folder); !sameContents(after, before) {
				t.Errorf("left %v", after)
			}
			if entries, _ := os.ReadDir(folder); len(before) == 0 && len(entries) > 0 {
				t.Errorf("left %v", entries)
			}
		})
	}
}

// TestInitNamesWhatDiffers checks that init fails, and makes nothing, if its flags differ from a
// configuration that it keeps.
func TestInitNamesWhatDiffers(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "praxisrelay.yaml")
	certificate, key := apptest.SelfSigned(t, "127.0.0.1").Write(t)
	other, otherKey := apptest.SelfSigned(t, "127.0.0.1").Write(t)
	given := []string{"--config", file, "--name", "127.0.0.1", "--cert", certificate, "--key", key,
		"--public-address", "203.0.113.10"}
	if _, stderr, err := initialize(t, given...); err != nil {
		t.Fatal(stderr)
	}
	if err := os.Remove(filepath.Join(folder, "turn.secret")); err != nil { // otherwise init would make it
		t.Fatal(err)
	}
	before := contents(t, folder)
	for what, test := range map[string]struct {
		flags []string
		want  []string
	}{
		"name": {[]string{"--name", "relay.example.org"},
			[]string{"--name: relay.example.org, where name is 127.0.0.1"}},
		"files": {[]string{"--cert", other, "--key", otherKey},
			[]string{"--cert: " + other + ", where tls.certificate is ",
				"--key: " + otherKey + ", where tls.key is "}},
		"a missing file": {[]string{"--cert", "/nonexistent"}, []string{"--cert: /nonexistent, where"}},
		"ACME": {[]string{"--acme", "--acme-email", "it@example.org"},
			[]string{"--acme: " + letsEncrypt + ", where tls.acme.directory is empty", "--acme-email: "}},
		"an account": {[]string{"--eab-key-id", "1", "--eab-key-file", key, "--acme-ca", other},
			[]string{"--eab-key-id: 1, ", "--eab-key-file: ", "--acme-ca: "}},
		"the address": {[]string{"--public-address", "203.0.113.11"},
			[]string{"--public-address: 203.0.113.11, where relay.public_address is 203.0.113.10"}},
		"no address": {[]string{"--public-address", "auto"},
			[]string{"--public-address: none, where relay.public_address is 203.0.113.10"}},
		"a bad address": {[]string{"--public-address", "here"}, []string{"--public-address: \"here\""}},
	} {
		_, stderr, err := initialize(t, append([]string{"--config", file}, test.flags...)...)
		for _, want := range test.want {
			if err == nil || !strings.Contains(stderr, want) {
				t.Errorf("%s: %v, and %q is not in\n%s", what, err, want, stderr)
			}
		}
		if !sameContents(contents(t, folder), before) {
			t.Errorf("%s: something was made", what)
		}
	}
	if stdout, stderr, err := initialize(t, given...); err != nil ||
		!strings.Contains(stdout, file+" exists and is kept") {
		t.Errorf("flags that say the same: %v %s", err, stderr)
	}
}

// TestInitAsksWhomItIsToldTo checks that init asks the STUN server for the public address, and the
// ACME directory whether it answers and what time it is.
func TestInitAsksWhomItIsToldTo(t *testing.T) {
	t.Parallel()
	authority := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ahead":
			w.Header().Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		case "/directory":
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	authority.Config.ErrorLog = log.New(io.Discard, "", 0)
	authority.StartTLS()
	defer authority.Close()
	roots := filepath.Join(t.TempDir(), "roots.pem")
	apptest.WriteFile(t, roots,
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Certificate().Raw})),
		0o644)
	ask := func(path string, args ...string) (string, config.Config) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "praxisrelay.yaml")
		stdout, stderr, err := initialize(t,
			append([]string{"--config", file, "--name", "relay.invalid",
				"--acme=" + authority.URL + path}, args...)...)
		if err != nil {
			t.Fatal(stderr)
		}
		c, err := config.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		return stdout, c
	}
	said, c := ask("/directory", "--acme-ca", roots, "--acme-email", "it@example.org",
		"--public-address", "auto", "--stun", apptest.STUNServer(t, "203.0.113.9"))
	if strings.Contains(said, "acme.directory") || strings.Contains(said, "off that of") ||
		!strings.Contains(said, "warning: name: relay.invalid does not resolve here") {
		t.Errorf("said\n%s", said)
	}
	want := config.ACME{Directory: authority.URL + "/directory", Email: "it@example.org", CAFile: roots,
		Cache: "/var/lib/praxisrelay/acme"}
	if c.TLS.ACME != want || c.TLS.Certificate != "" || c.Relay.PublicAddress.String() != "203.0.113.9" {
		t.Errorf("wrote %+v", c)
	}
	if record := "  relay.invalid.  A     203.0.113.9      ; to make\n"; !strings.Contains(said, record) {
		t.Errorf("%q is not in\n%s", record, said)
	}
	account := filepath.Join(t.TempDir(), "account.key")
	apptest.WriteFile(t, account, "a-secret-of-an-account", 0o600)
	said, c = ask("/directory", "--acme-ca", roots, "--eab-key-id", "x", "--eab-key-file", account)
	if text, err := os.ReadFile(c.TLS.ACME.EABKeyFile); err != nil ||
		string(text) != "a-secret-of-an-account" || filepath.Base(c.TLS.ACME.EABKeyFile) != "eab.key" ||
		strings.Contains(said, string(text)) {
		t.Errorf("the account's key: %v, %+v", err, c.TLS.ACME)
	}
	if said, c := ask("/directory", "--acme-ca", roots, "--public-address", "auto",
		"--stun", apptest.STUNServer(t, "127.0.0.1")); c.Relay.PublicAddress.IsValid() {
		t.Errorf("this host's own address became public:\n%s", said)
	}
	for _, test := range []struct{ path, roots, want string }{
		{"/ahead", roots, "off that of 127.0.0.1:"},
		{"/elsewhere", roots, "warning: tls.acme.directory: answers 404"},
		{"/directory", "", "warning: tls.acme.directory: no answer"}, // not trusted by the system
	} {
		if said, _ := ask(test.path, "--acme-ca", test.roots); !strings.Contains(said, test.want) {
			t.Errorf("%s: %q is not in\n%s", test.path, test.want, said)
		}
	}
}
