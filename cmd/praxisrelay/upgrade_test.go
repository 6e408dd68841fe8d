package main

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
)

// TestAProxyThatRefusesUpgrades: the page notices, and makes the same call by long
// polling.
func TestAProxyThatRefusesUpgrades(t *testing.T) {
	t.Parallel()
	s := startServe(t, nil)
	created, err := s.admin.Create(t.Context(), time.Now(), time.Now().Add(time.Hour), "")
	if err != nil {
		t.Fatal(err)
	}
	behind, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	var refused, polls atomic.Int64
	forward := httputil.NewSingleHostReverseProxy(behind)
	forward.Transport = s.https(t).Transport
	quiet := log.New(io.Discard, "", 0) // about pages that end
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
		proxy.CloseClientConnections() // polls are held
		proxy.Close()
	}()
	doctor, patient := newBrowser(t, "doctor"), newBrowser(t, "patient")
	for i, b := range []*browser{doctor, patient} {
		b.open(t, strings.Replace(created.Seats[i].Link, s.url, proxy.URL+"/", 1), "policy=relay")
	}
	meet(t, doctor, patient)
	if refused.Load() == 0 || polls.Load() == 0 {
		t.Errorf("%d upgrades were refused, and there were %d polls", refused.Load(), polls.Load())
	}
}
