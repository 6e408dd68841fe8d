package appliance

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"praxisrelay/cmd/praxisrelay/apptest"
)

// TestMetricsOfAnotherName checks that every plausible target in a Prometheus configuration is
// served, and that a page whose own name points here reads nothing.
func TestMetricsOfAnotherName(t *testing.T) {
	for host, want := range map[string]bool{
		"127.0.0.1:9478": true, "[2001:db8::1]:9478": true, "192.0.2.1": true, "localhost:9478": true,
		"relay1:9478": true, "relay1.clinic.example.org:9478": true, "RELAY.example.org.": true, "relay.example.org:9478": true,
		"praxisrelay:9478": true, "praxisrelay.monitoring.svc.cluster.local:9478": true, "": true,
		"example.com:9478": false, "notrelay1.example.com": false, "relay.example.com": false,
		"1.2.3.4.example.com": false, "example.com.": false,
	} {
		if got := ownHost(host, []string{"relay.example.org", "relay1"}); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
	s := apptest.StartServe(t, nil)
	for _, test := range []struct {
		host, path string
		status     int
	}{{"", "/metrics", 200}, {"rebound.example.com", "/metrics", 421}} {
		request, err := http.NewRequest(http.MethodGet, s.Monitoring+test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = test.host
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != test.status ||
			test.status == 421 && !strings.Contains(string(body), "IP address") {
			t.Errorf("%s of %q: %s %q", test.path, test.host, response.Status, body)
		}
	}
}
