package appliance_test

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/relay/certificate/certificatetest"
	"praxisrelay/signal/token"
)

// TestReloadCommand checks that reload lists what changed and what needs a restart, and that a
// mistake anywhere changes nothing.
func TestReloadCommand(t *testing.T) {
	t.Parallel()
	s := apptest.StartServe(t, nil)
	folder := filepath.Dir(s.CA)
	file := filepath.Join(folder, "praxisrelay.yaml")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	edit := func(pairs ...string) {
		apptest.WriteFile(t, file, strings.NewReplacer(pairs...).Replace(string(before)), 0o600)
	}
	const relaySection = "relay: {"
	for _, step := range []struct {
		what  string
		edit  func()
		right bool
		want  []string // the output
	}{
		{"nothing", func() {}, true, []string{"nothing has changed\n"}},
		{"limits, and what is bound", func() {
			edit(relaySection, relaySection+"max_session: 2h, max_per_seat: 8, peers: open, ",
				"turn_udp: [127.0.0.1:0]", "turn_udp: []")
		}, true, []string{
			"in effect now: relay.max_session, relay.max_per_seat\n",
			"listen.turn_udp changed: takes effect after a restart\n",
			"relay.peers changed: takes effect after a restart\n",
		}},
		{"the same again", func() {}, true, []string{"listen.turn_udp changed: takes effect after a restart\n", "relay.peers changed"}},
		{"three mistakes, and a change", func() {
			edit(relaySection, relaySection+
				"max_session: 2s, max_per_seats: 8, allocation_rate: 5, credential_lifetime: 1h, ")
		}, false, []string{"not reloaded: everything is as before",
			"relay.max_session: 2s is out of bounds", "relay.max_per_seats: unknown key",
			"relay.allocation_rate: 5 bytes per second"}},
		{"a secret that is too short", func() {
			edit()
			apptest.WriteFile(t, filepath.Join(folder, "turn.secret"), "short", 0o600)
		}, false, []string{"not reloaded", "turn.secret holds 5 characters"}},
		{"a secret that everybody may read", func() {
			apptest.WriteFile(t, filepath.Join(folder, "turn.secret"),
				"another secret of this appliance", 0o600)
			if err := os.Chmod(filepath.Join(folder, "turn.secret"), 0o644); err != nil {
				t.Fatal(err)
			}
		}, false, []string{"not reloaded", "everybody on this host may read"}},
		{"a good secret, and the original limits", func() {
			if err := os.Chmod(filepath.Join(folder, "turn.secret"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, true, []string{"in effect now: relay.max_session, relay.max_per_seat, relay.secret_files\n"}},
		{"a certificate with another key", func() {
			for _, file := range []string{"cert.pem", "key.pem"} {
				pair, err := secrets.SelfSigned(apptest.Loopback)
				if err != nil {
					t.Fatal(err)
				}
				apptest.WriteFile(t, filepath.Join(folder, file),
					map[string]string{"cert.pem": string(pair.Chain),
						"key.pem": string(pair.Key)}[file], 0o600)
			}
		}, false, []string{"not reloaded", "do not match"}},
		{"a certificate with its key", func() {
			pair, err := secrets.SelfSigned(apptest.Loopback)
			if err != nil {
				t.Fatal(err)
			}
			apptest.WriteFile(t, filepath.Join(folder, "cert.pem"), string(pair.Chain), 0o600)
			apptest.WriteFile(t, filepath.Join(folder, "key.pem"), string(pair.Key), 0o600)
		}, true, []string{"in effect now: tls.certificate\n"}},
		{"another name, and its certificate", func() {
			chain, key := certificatetest.SelfSigned(t, "relay.example.org", nil)
			apptest.WriteFile(t, filepath.Join(folder, "other.pem"), string(chain), 0o600)
			apptest.WriteFile(t, filepath.Join(folder, "other.key"), string(key), 0o600)
			edit("name: 127.0.0.1", "name: relay.example.org", folder+"/cert.pem", folder+"/other.pem",
				folder+"/key.pem", folder+"/other.key")
		}, true, []string{"name changed: takes effect after a restart\n",
			"tls.certificate changed: takes effect after a restart\n", "tls.key changed: takes effect"}},
		{"an authority in place of the files", func() {
			edit("name: 127.0.0.1", "name: relay.example.org",
				"tls: {certificate: "+folder+"/cert.pem, key: "+folder+"/key.pem}",
				"tls: {acme: {directory: 'https://acme.example.org/'}}")
		}, true, []string{"tls.acme.directory changed: takes effect after a restart\n",
			"tls.certificate changed: takes effect after a restart\n"}},
		{"all as before", func() { edit() }, true, []string{"nothing has changed\n"}},
		{"no syntax", func() { apptest.WriteFile(t, file, "a: [", 0o600) }, false, []string{"not reloaded"}},
	} {
		step.edit()
		stdout, stderr, err := apptest.Run(t, "reload", "--config", file, "--socket", s.Socket)
		for _, want := range step.want {
			if !strings.Contains(stdout+stderr, want) {
				t.Errorf("%s: said %q and %q, want %q", step.what, stdout, stderr, want)
			}
		}
		if (err == nil) != step.right {
			t.Errorf("%s: %v", step.what, err)
		}
		// The failure is visible to monitoring too, wherever the mistake was found.
		status, err := s.Admin.Status(t.Context())
		if err != nil || (status.Reload.Error == "") != step.right {
			t.Errorf("%s: the status is %+v, %v", step.what, status.Reload, err)
		}
	}
	if text, want := s.Scrape(t), "praxisrelay_config_last_reload_successful 0\n"; !strings.Contains(text, want) {
		t.Errorf("%q is not among the metrics", want)
	}
}

// TestOnlyTheSocketReloads checks that no token allows a reload.
func TestOnlyTheSocketReloads(t *testing.T) {
	t.Parallel()
	s := apptest.StartServe(t, nil)
	made, err := s.Admin.CreateToken(t.Context(), "", []token.Scope{token.Appointments}, nil)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.API+"/v1/reload",
		strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+made.Token)
	response, err := s.HTTPS(t).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusForbidden {
		t.Errorf("with a token: %s", response.Status)
	}
}

// TestOperationsAreReadStrictly checks that requests of the program's own commands must be exactly
// as these send them.
func TestOperationsAreReadStrictly(t *testing.T) {
	s := apptest.StartServe(t, nil)
	for _, request := range [][3]string{
		{http.MethodPut, "/v1/drain", `{} {}`},
		{http.MethodPut, "/v1/drain", `{}junk`},
		{http.MethodPut, "/v1/drain", `{"Until":"2026-12-01T09:00:00Z"}`},
		{http.MethodPost, "/v1/reload", `{"file":"a","file":"b"}`},
		{http.MethodPost, "/v1/pepper", `{"peppers":[],"more":1}`},
		{http.MethodPost, "/v1/credentials", `{"COUNT":1}`},
	} {
		if status := s.Request(t, request[0], request[1], []byte(request[2])); status != http.StatusBadRequest {
			t.Errorf("%s: %d", request, status)
		}
	}
	if drained, err := s.Admin.Drained(t.Context()); err != nil || drained.Draining {
		t.Errorf("%+v, %v", drained, err)
	}
}

// TestSecretsAreHandedOver checks that reload works with a service manager's credentials, which
// never change while the daemon runs: the command reads the files at their paths.
func TestSecretsAreHandedOver(t *testing.T) {
	t.Parallel()
	file, folder := apptest.WriteConfig(t)
	credentials := t.TempDir()
	for _, name := range []string{"turn.secret", "pepper.secret"} {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		// the folder keeps others out
		apptest.WriteFile(t, filepath.Join(credentials, name), string(text), 0o444)
		if err := os.Rename(filepath.Join(folder, name), filepath.Join(folder, "first."+name)); err != nil {
			t.Fatal(err)
		}
	}
	s := apptest.NewServed(folder)
	c := apptest.Program("serve", "--config", file)
	c.Env = append(c.Env, "CREDENTIALS_DIRECTORY="+credentials)
	s.Daemon = apptest.Start(t, c, true, s.Serving)
	created := s.Appoint(t, time.Now(), time.Now().Add(time.Hour))
	signedBy := func(secret string) bool {
		ice := s.ICE(t, created.Seats[0].Keys)
		return ice.Credential == apptest.PasswordOf(t, secret, ice.Username)
	}
	if !signedBy(filepath.Join(folder, "first.turn.secret")) {
		t.Error("the credential did not work after the start")
	}
	if _, stderr, err := apptest.Run(t, "reload", "--config", file); err == nil ||
		!strings.Contains(stderr, "does not exist") {
		t.Errorf("without files at the paths: %q", stderr)
	}
	apptest.WriteFile(t, filepath.Join(folder, "turn.secret"), "the new secret of this appliance\n", 0o600)
	text, err := os.ReadFile(filepath.Join(credentials, "pepper.secret"))
	if err != nil {
		t.Fatal(err)
	}
	apptest.WriteFile(t, filepath.Join(folder, "pepper.secret"), string(text), 0o600)
	c = apptest.Program("reload", "--config", file)
	c.Env = append(c.Env, "CREDENTIALS_DIRECTORY="+credentials) // as for commands of a unit
	if out, err := c.CombinedOutput(); err != nil || string(out) != "in effect now: relay.secret_files\n" {
		t.Fatalf("%s, %v", out, err)
	}
	if !signedBy(filepath.Join(folder, "turn.secret")) {
		t.Error("the new secret is not in effect")
	}
	s.ReloadBySignal(t)
	if !signedBy(filepath.Join(folder, "turn.secret")) {
		t.Error("SIGHUP went back to the first secret")
	}
}

// TestOnlyFilesAreRead checks that only regular files of a reasonable size are read: a reload
// blocks on nothing, and takes no more memory than a certificate needs.
func TestOnlyFilesAreRead(t *testing.T) {
	folder := t.TempDir()
	path := func(name string) string { return filepath.Join(folder, name) }
	if err := syscall.Mkfifo(path("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	apptest.WriteFile(t, path("huge"), "", 0o600)
	if err := os.Truncate(path("huge"), 2<<20); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("loop", path("loop")); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		path("fifo"): "is not a regular file", "/dev/null": "is not a regular file",
		folder:       "is not a regular file",
		path("huge"): "larger than", path("loop"): "symbolic links",
	} {
		refused := make(chan error, 1)
		go func() {
			_, err := secrets.FromDisk(file, false)
			refused <- err
		}()
		select {
		case err := <-refused:
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want something with %q", file, err, want)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("reading %s does not end", file)
		}
	}
}

// TestAHangupAtTheStartIsNoEnd checks that SIGHUP before the daemon serves is handled as usual.
func TestAHangupAtTheStartIsNoEnd(t *testing.T) {
	t.Parallel()
	server, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := server.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	file, _ := apptest.WriteConfig(t)
	apptest.Edit(t, file, "relay: {", "relay: {public_address_from: \""+server.LocalAddr().String()+"\", ")
	c := apptest.Program("serve", "--config", file)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	// the daemon asks for its public address
	if _, _, err := server.ReadFrom(make([]byte, 1500)); err != nil {
		t.Fatal(err)
	}
	if err := c.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if _, _, err := server.ReadFrom(make([]byte, 1500)); err != nil {
		t.Errorf("the daemon does not ask again: %v", err)
	}
	server.Close()
	_ = c.Wait()
	if status := c.ProcessState; !status.Exited() {
		t.Errorf("the daemon ended: %v", status)
	}
}
