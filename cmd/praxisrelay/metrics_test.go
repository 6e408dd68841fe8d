package main

import (
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
)

// get returns the status and the body of a page of the metrics' listener.
func (s *served) get(t testing.TB, path string) (int, string) {
	t.Helper()
	response, err := http.Get(s.monitoring + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// scrape returns what Prometheus would get.
func (s *served) scrape(t testing.TB) string {
	t.Helper()
	status, body := s.get(t, "/metrics")
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	return body
}

// TestMetricsFollowTheConventions of Prometheus, as its own tool has them.
func TestMetricsFollowTheConventions(t *testing.T) {
	promtool := tool(t, "promtool", "prometheus")
	check := exec.Command(promtool, "check", "metrics")
	check.Stdin = strings.NewReader(startServe(t, nil).scrape(t))
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}
