package ops

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
)

// TestAProxyThatRefusesUpgrades checks that the page notices, and makes the same call by long
// polling.
func TestAProxyThatRefusesUpgrades(t *testing.T) {
	t.Parallel()
	s := apptest.StartServe(t, nil)
	created, err := s.Admin.Create(t.Context(), time.Now(), time.Now().Add(time.Hour), "")
	if err != nil {
		t.Fatal(err)
	}
	behind, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	var refused, polls atomic.Int64
	forward := httputil.NewSingleHostReverseProxy(behind)
	forward.Transport = s.HTTPS(t).Transport
	quiet := log.New(io.Discard, "", 0) // for errors of pages that end
	forward.ErrorLog = quiet
	proxy := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Upgrade") != "":
			refused.Add(1)
			http.Error(w, "no upgrades here", http.StatusForbidden)
			return
		case r.URL.Path == "/v1/signal":
			polls.Add(1)
		}
		forward.ServeHTTP(w, r)
	}))
	proxy.Config.ErrorLog = quiet
	proxy.StartTLS()
	defer func() {
		proxy.CloseClientConnections() // otherwise it waits for held polls
		proxy.Close()
	}()
	doctor, patient := apptest.NewBrowser(t, "doctor"), apptest.NewBrowser(t, "patient")
	for i, b := range []*apptest.Browser{doctor, patient} {
		b.Open(t, strings.Replace(created.Seats[i].Link, s.URL, proxy.URL+"/", 1), "policy=relay")
	}
	apptest.Meet(t, doctor, patient)
	if refused.Load() == 0 || polls.Load() == 0 {
		t.Errorf("%d upgrades were refused, and there were %d polls", refused.Load(), polls.Load())
	}
}
