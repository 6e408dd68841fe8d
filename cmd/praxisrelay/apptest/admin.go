package apptest

import (
	"encoding/json"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"testing"

	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/protocol"
)

// StartAdmin serves an admin API that acknowledges the first appointments, as many as good says,
// and then fails. Its codes are stretched by a single round, so that lists are made quickly.
func StartAdmin(t *testing.T, good int) (socket string, acknowledged func() []string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "admin.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var lock sync.Mutex
	var ids []string
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/info", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(protocol.Info{Version: 1, URL: "https://relay.example.org/",
			Salt: make([]byte, 16), Rounds: 1})
	})
	mux.HandleFunc("POST /v1/appointments", func(w http.ResponseWriter, r *http.Request) {
		lock.Lock()
		defer lock.Unlock()
		var n api.NewAppointment
		if err := json.NewDecoder(r.Body).Decode(&n); err != nil || len(ids) == good {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusInternalServerError)
			_ = json.NewEncoder(w).Encode(api.Problem{Status: 500,
				Detail: "the registry cannot be written", Remedy: "see the server's log"})
			return
		}
		ids = append(ids, n.ID)
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte("{}"))
	})
	server := &http.Server{Handler: mux}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close(); <-done })
	return socket, func() []string { lock.Lock(); defer lock.Unlock(); return ids }
}
