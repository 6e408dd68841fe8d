package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"praxisrelay/signal/client"
	"praxisrelay/signal/code"
)

// TestCanaries: what opens an appointment, and who uses it, went through good and bad
// joins and a revocation, and is in no log and no file of the daemon.
func TestCanaries(t *testing.T) {
	s := startServe(t, nil)
	created, err := s.admin.Create(t.Context(), time.Now(), time.Now().Add(time.Hour), "")
	if err != nil {
		t.Fatal(err)
	}
	canaries := map[string][]byte{"the client's address": []byte("127.0.0.1:")}
	for _, seat := range created.Seats {
		session, err := client.JoinWithKeys(t.Context(), s.https(t), s.url, seat.Keys)
		if err != nil {
			t.Fatal(err)
		}
		ice := session.Welcome.ICEServers[0]
		session.Close()
		letters := strings.ReplaceAll(seat.Code.Format(), "-", "")
		canaries[seat.Name+"'s code"] = []byte(seat.Code.Format())
		canaries[seat.Name+"'s letters"] = []byte(letters)
		canaries[seat.Name+"'s join token"] = seat.Keys.JoinToken[:]
		canaries[seat.Name+"'s join token in hex"] = []byte(hex.EncodeToString(seat.Keys.JoinToken[:]))
		canaries[seat.Name+"'s join token in base64"] = []byte(base64.StdEncoding.EncodeToString(seat.Keys.JoinToken[:]))
		canaries[seat.Name+"'s seal key"] = seat.Keys.SealKey[:]
		canaries[seat.Name+"'s user name"] = []byte(ice.Username)
		canaries[seat.Name+"'s TURN password"] = []byte(ice.Credential)
	}
	s.refusal(t, code.Keys{JoinToken: [32]byte{1}})
	if err := s.admin.Revoke(t.Context(), created.ID); err != nil {
		t.Fatal(err)
	}
	s.refusal(t, created.Seats[0].Keys)
	s.stop(t)

	// The line that says where it serves is about the appliance's own addresses.
	_, log, _ := strings.Cut(s.stderr.String(), "msg=serving")
	_, log, _ = strings.Cut(log, "\n")
	texts := map[string][]byte{"the log": []byte(log)}
	folder := filepath.Dir(s.ca)
	registry, err := os.ReadFile(filepath.Join(folder, "registry.db"))
	if err != nil {
		t.Fatal(err)
	}
	texts["the registry"] = registry
	if !bytes.Contains(registry, []byte(created.ID)) || !strings.Contains(log, "stopped") {
		t.Fatal("the registry and the log are not what is looked at")
	}
	for where, text := range texts {
		for what, canary := range canaries {
			if bytes.Contains(text, canary) {
				t.Errorf("%s is in %s", what, where)
			}
		}
	}
}
