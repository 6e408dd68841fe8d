package front

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestFaultsSayWhereAlone: the log names neither the client nor its request.
func TestFaultsSayWhereAlone(t *testing.T) {
	var text bytes.Buffer
	web := httptest.NewUnstartedServer(nil)
	web.Config = NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/aborted" {
			panic(http.ErrAbortHandler)
		}
		panic("a canary")
	}), slog.New(slog.NewTextHandler(&text, nil)))
	web.Start()
	for _, path := range []string{"/aborted", "/canary"} {
		if response, err := web.Client().Get(web.URL + path); err == nil {
			response.Body.Close()
			t.Errorf("%s: %s", path, response.Status)
		}
	}
	web.Close() // waits until everything is logged
	web.Config.ErrorLog.Print("http: TLS handshake error from 192.0.2.1:1234: EOF")
	got := text.String()
	if strings.Count(got, "\n") != 1 || !strings.Contains(got, "at=front/faults_test.go:") ||
		strings.Contains(got, "127.0.0.1") || strings.Contains(got, "canary") {
		t.Errorf("logged %s", got)
	}
}
