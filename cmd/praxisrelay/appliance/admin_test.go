package appliance_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/signal/client"
	"praxisrelay/signal/code"
	"praxisrelay/signal/protocol"
	"praxisrelay/signal/registry"
)

// TestReissuedSeatChangesHands checks that the old code and its TURN credential stop working, and
// that the new ones work at once.
func TestReissuedSeatChangesHands(t *testing.T) {
	t.Parallel()
	s := apptest.StartServe(t, nil)
	created, err := s.Admin.Create(t.Context(), time.Now(), time.Now().Add(time.Hour), "")
	if err != nil {
		t.Fatal(err)
	}
	doctor, patient := created.Seats[0], created.Seats[1]
	allocate := func(ice protocol.ICEServer) error {
		c, _ := apptest.TURNClient(t, ice, "udp")
		_, err := c.Allocate()
		return err
	}
	before := s.ICE(t, doctor.Keys)
	if err := allocate(before); err != nil {
		t.Fatal(err)
	}
	// The other seat's code comes on standard input.
	command := apptest.Program("code", "reissue", created.ID, "--seat", "doctor", "--socket", s.Socket)
	command.Stdin = strings.NewReader(strings.ToLower(patient.Code.Format()) + "\n")
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v, %s", err, out)
	}
	fields := strings.Fields(string(out))
	next, err := code.Parse(fields[1])
	if err != nil || fields[0] != "doctor" || fields[2] != s.URL+"#"+fields[1] {
		t.Fatalf("printed %q: %v", out, err)
	}
	info, err := client.GetInfo(t.Context(), s.HTTPS(t), s.URL)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := next.Derive(info.Salt, info.Rounds)
	if err != nil {
		t.Fatal(err)
	}
	if refused := s.Refusal(t, doctor.Keys); refused.Code != protocol.UnknownCode {
		t.Errorf("the old code: %+v", refused)
	}
	if err := allocate(before); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("the old credential: %v, want 401", err)
	}
	if err := allocate(s.ICE(t, keys)); err != nil {
		t.Errorf("the new credential: %v", err)
	}
	listed, _, err := apptest.Run(t, "code", "list", "--socket", s.Socket)
	if err != nil || !regexp.MustCompile(created.ID+
		` .* open +(used|there now) +not used`).MatchString(listed) {
		t.Errorf("listed %q, %v", listed, err)
	}

	for name, test := range map[string]struct{ in, want string }{
		"a typo":      {"KTRW-BZMF-QHDG", "check what was typed"},
		"a wrong one": {code.New().Format(), "this is not the code of the patient"},
		"none":        {"", "a code has 12 letters"},
	} {
		command := apptest.Program("code", "reissue", created.ID, "--seat", "doctor", "--socket", s.Socket)
		command.Stdin = strings.NewReader(test.in)
		if out, err := command.CombinedOutput(); err == nil ||
			!strings.Contains(string(out), test.want) ||
			test.in != "" && strings.Contains(string(out), test.in) {
			t.Errorf("%s: said %q, want something with %q", name, out, test.want)
		}
	}
}

func TestTokenCommands(t *testing.T) {
	t.Parallel()
	s := apptest.StartServe(t, nil)
	made, stderr, err := apptest.Run(t, "token", "create", "--socket", s.Socket,
		"--scope", "appointments:read", "--name", "a display", "--expires", "90d")
	if err != nil {
		t.Fatal(stderr)
	}
	secret := strings.TrimSpace(made)
	id := strings.Split(secret, "_")[1]
	get := func() int {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.API+"/v1/appointments", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+secret)
		response, err := s.HTTPS(t).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	if status := get(); status != http.StatusOK {
		t.Errorf("with a token: %d", status)
	}
	listed, _, err := apptest.Run(t, "token", "list", "--socket", s.Socket)
	if err != nil || !regexp.MustCompile(id+` +a display +appointments:read +`).MatchString(listed) ||
		strings.Contains(listed, strings.Split(secret, "_")[2]) {
		t.Errorf("listed %q, %v", listed, err)
	}
	if out, stderr, err := apptest.Run(t, "token", "revoke", id, "--socket", s.Socket); err != nil ||
		out != id+" is revoked\n" {
		t.Errorf("%q %q", out, stderr)
	}
	if status := get(); status != http.StatusUnauthorized {
		t.Errorf("with a revoked token: %d", status)
	}
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no scope":         {nil, `"scope" not set`},
		"an unknown scope": {[]string{"--scope", "all"}, "the scopes are appointments and appointments:read"},
		"a bad end":        {[]string{"--scope", "appointments", "--expires", "soon"}, "write it like 90d or 12h"},
		"an end before":    {[]string{"--scope", "appointments", "--expires", "-1h"}, "write it like 90d or 12h"},
	} {
		if _, stderr, err := apptest.Run(t, append([]string{"token", "create", "--socket", s.Socket},
			test.args...)...); err == nil || !strings.Contains(stderr, test.want) {
			t.Errorf("%s: said %q, want something with %q", name, stderr, test.want)
		}
	}
	if _, stderr, err := apptest.Run(t, "token", "revoke", id, "--socket", s.Socket); err == nil ||
		!strings.Contains(stderr, "see praxisrelay token list") {
		t.Errorf("revoked twice: %q", stderr)
	}
}

func TestBackupIsWholeAndItsOwnersAlone(t *testing.T) {
	t.Parallel()
	s := apptest.StartServe(t, nil)
	created, err := s.Admin.Create(t.Context(), time.Now(), time.Now().Add(time.Hour), "2026-0815")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "backup.db")
	if _, stderr, err := apptest.Run(t, "code", "backup", file, "--socket", s.Socket); err != nil {
		t.Fatal(stderr)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, stderr, err := apptest.Run(t, "code", "backup", file, "--socket", s.Socket); err == nil ||
		!strings.Contains(stderr, "is not overwritten") {
		t.Errorf("over another file: %q", stderr)
	}
	nowhere := filepath.Join(t.TempDir(), "backup.db")
	if _, _, err := apptest.Run(t, "code", "backup", nowhere, "--socket", "/nonexistent.sock"); err == nil {
		t.Error("without a daemon: no error")
	}
	if _, err := os.Stat(nowhere); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a failed backup left a file: %v", err)
	}
	registry, err := registry.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer registry.Close()
	if a, err := registry.Get(t.Context(), created.ID); err != nil || a.Ref != "2026-0815" {
		t.Errorf("in the backup: %v, %v", a, err)
	}
}

// TestAdminAPIDocumentRuns runs every command in docs/admin-api.md, in order.
func TestAdminAPIDocumentRuns(t *testing.T) {
	t.Parallel()
	bash, _ := apptest.Tool(t, "bash", "bash"), apptest.Tool(t, "curl", "curl")
	text, err := os.ReadFile(apptest.InTree("docs", "admin-api.md"))
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	for _, block := range blocks {
		script.WriteString(block[1])
	}
	s := apptest.StartServe(t, nil)
	folder := t.TempDir()
	apptest.WriteFile(t, filepath.Join(folder, "praxisrelay"),
		fmt.Sprintf("#!/bin/sh\n%s=1 exec %q \"$@\" --socket %q\n", apptest.AsProgram, os.Args[0],
			s.Socket), 0o700)
	c := exec.CommandContext(t.Context(), bash, "-euxc", "set -o pipefail\n"+strings.NewReplacer(
		"sudo ", "",
		"https://relay.example.org:8444", s.API,
		"2026-12-0", apptest.NextYear("YEAR-12-0"), // the document's day will be in the past
	).Replace(script.String()))
	c.Dir = folder
	c.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"), "CURL_CA_BUNDLE="+s.CA)
	var trace bytes.Buffer
	c.Stderr = &trace
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, &trace)
	}
	if calls := strings.Count(trace.String(), "+ curl"); len(blocks) < 5 || calls < 6 {
		t.Errorf("%d blocks, %d calls:\n%s", len(blocks), calls, &trace)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 4 || !strings.Contains(lines[1], `"ref":"2026-0815"`) ||
		!strings.Contains(lines[3], `"revoked":true`) {
		t.Errorf("printed %q", lines)
	}
	for file, want := range map[string]string{"created.json": `"sealed_by":"server"`,
		"reissued.json": `"name":"patient","sealed_by":"server","code":"`} {
		if got, err := os.ReadFile(filepath.Join(folder, file)); err != nil ||
			!strings.Contains(string(got), want) {
			t.Errorf("%s: %s, %v", file, got, err)
		}
	}
}

// TestAdminAPINeedsTLS checks that nothing answers without TLS.
func TestAdminAPINeedsTLS(t *testing.T) {
	s := apptest.StartServe(t, nil)
	response, err := http.Get(strings.Replace(s.API, "https:", "http:", 1) + "/v1/info")
	if err != nil {
		return
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusBadRequest {
		t.Errorf("%s %s", response.Status, body)
	}
}
