package ops

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/csv"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
)

// TestLoadBalancersChecks sends load balancers' checks, in all their forms, to each listener that
// serves HTTP.
func TestLoadBalancersChecks(t *testing.T) {
	t.Parallel()
	file, folder := apptest.WriteConfig(t)
	apptest.Edit(t, file, "listen:\n", "listen:\n  http: 127.0.0.1:0\n")
	s := apptest.NewServed(folder)
	var plain string
	s.Daemon = apptest.Start(t, apptest.Program("serve", "--config", file), true, func(line string) bool {
		_, rest, _ := strings.Cut(line, " http=")
		plain, _, _ = strings.Cut(rest, " ")
		return s.Serving(line)
	})
	if _, err := s.Admin.StartDrain(t.Context(), time.Time{}); err != nil {
		t.Fatal(err)
	}
	listeners := map[string]func() (net.Conn, error){
		"https": func() (net.Conn, error) {
			return tls.Dial("tcp", strings.Trim(s.URL, "htps:/"), &tls.Config{InsecureSkipVerify: true})
		},
		"metrics": func() (net.Conn, error) { return net.Dial("tcp", strings.TrimPrefix(s.Monitoring, "http://")) },
		"http":    func() (net.Conn, error) { return net.Dial("tcp", plain) },
	}
	const withHost = " HTTP/1.1\r\nHost: balancer\r\nConnection: close\r\n\r\n"
	for _, row := range []struct {
		request              string
		https, metrics, http int
	}{
		{"OPTIONS / HTTP/1.0\r\n\r\n", 204, 204, 204}, // HAProxy's default
		{"OPTIONS /" + withHost, 204, 204, 204},
		{"OPTIONS *" + withHost, 200, 200, 200},
		{"HEAD / HTTP/1.0\r\n\r\n", 200, 404, 302},
		{"HEAD /" + withHost, 200, 404, 302},
		{"GET / HTTP/1.0\r\n\r\n", 200, 404, 302},
		{"OPTIONS /healthz HTTP/1.0\r\n\r\n", 200, 200, 204},
		{"HEAD /healthz HTTP/1.0\r\n\r\n", 200, 200, 302},
		{"GET /healthz HTTP/1.0\r\n\r\n", 200, 200, 302},
		// The appliance is draining, so none of these may succeed.
		{"OPTIONS /readyz HTTP/1.0\r\n\r\n", 503, 503, 204},
		{"OPTIONS /readyz" + withHost, 503, 503, 204},
		{"HEAD /readyz" + withHost, 503, 503, 302},
		{"GET /readyz HTTP/1.0\r\n\r\n", 503, 503, 302},
		{"POST / HTTP/1.0\r\n\r\n", 405, 405, 405},
	} {
		for name, want := range map[string]int{"https": row.https, "metrics": row.metrics, "http": row.http} {
			conn, err := listeners[name]()
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
			fmt.Fprint(conn, row.request)
			method, _, _ := strings.Cut(row.request, " ")
			response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
			if err != nil {
				t.Fatalf("%s, %q: %v", name, row.request, err)
			}
			if response.StatusCode != want {
				t.Errorf("%s: %q is answered with %d, want %d", name, row.request, response.StatusCode, want)
			}
			if allow := response.Header.Get("Allow"); (want == 204 || want == 405) &&
				!strings.Contains(allow, "GET") {
				t.Errorf("%s: the answer to %q allows %q", name, row.request, allow)
			}
			conn.Close()
		}
	}
}

// TestHAProxyFindsItUp tries HAProxy's default check and that of docs/operation.md.
func TestHAProxyFindsItUp(t *testing.T) {
	t.Parallel()
	haproxy := apptest.Tool(t, "haproxy", "haproxy")
	s := apptest.StartServe(t, nil)
	folder := t.TempDir()
	file, stats := filepath.Join(folder, "haproxy.cfg"), filepath.Join(folder, "stats")
	asking := &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", stats)
		}}}
	server := strings.Trim(s.URL, "htps:/")
	apptest.WriteFile(t, file, `defaults
  mode tcp
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend stats
  mode http
  bind unix@`+stats+`
  stats enable
  stats uri /
backend plain
  option httpchk
  server it `+server+` check check-ssl verify none inter 200ms
backend readyz
  option httpchk GET /readyz
  server it `+server+` check check-ssl verify none inter 200ms
`, 0o600)
	c := exec.Command(haproxy, "-db", "-f", file)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	state := func() map[string]string {
		response, err := asking.Get("http://stats/;csv")
		if err != nil {
			return nil // not ready yet
		}
		defer response.Body.Close()
		rows, err := csv.NewReader(response.Body).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]string{}
		for _, row := range rows {
			if row[1] == "it" {
				found[row[0]] = row[17] + " " + row[36] // status, check_status
			}
		}
		return found
	}
	wait := func(plain, readyz string) {
		t.Helper()
		for began := time.Now(); ; {
			found := state()
			if strings.HasPrefix(found["plain"], plain) && strings.HasPrefix(found["readyz"], readyz) {
				return
			}
			if time.Since(began) > 30*time.Second {
				t.Fatalf("HAProxy finds %v, want %s and %s", found, plain, readyz)
			}
		}
	}
	wait("UP L7OK", "UP L7OK")
	if _, err := s.Admin.StartDrain(t.Context(), time.Time{}); err != nil {
		t.Fatal(err)
	}
	wait("UP L7OK", "DOWN L7STS")
}
