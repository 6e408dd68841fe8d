package appliance

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
)

// TestOtherListenersTakeNoDescriptorsFromClients checks that a client who opens as many connections
// as it can, to the metrics or the admin API, only gets its share, and that others are still
// served. Connections without a token are closed after the answer.
func TestOtherListenersTakeNoDescriptorsFromClients(t *testing.T) {
	s := apptest.StartServe(t, nil)
	for url, path := range map[string]string{s.Monitoring: "/metrics", s.API: "/v1/info"} {
		address := strings.TrimPrefix(strings.TrimPrefix(url, "http://"), "https://")
		before := apptest.Descriptors(t, s.Process.Pid)
		open := func(networks, want int) {
			t.Helper()
			for i := range maxSideConnections + 100 {
				dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 4, 0, byte(1+i%networks))}}
				conn, err := dialer.Dial("tcp", address)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { conn.Close() })
			}
			ticker := time.NewTicker(5 * time.Millisecond)
			defer ticker.Stop()
			taken := 0
			for deadline := time.Now().Add(4 * time.Second); ; <-ticker.C {
				taken = apptest.Descriptors(t, s.Process.Pid) - before
				if taken >= want-5 && taken <= want+10 { // the daemon itself has a few open for a moment
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("%s: %d descriptors are taken by %d networks, want %d", url, taken,
						networks, want)
				}
			}
		}
		open(1, maxSideConnections/4)
		client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
		response, err := client.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if (response.StatusCode == http.StatusUnauthorized) != response.Close {
			t.Errorf("%s: %s, closed: %v", url, response.Status, response.Close)
		}
		client.CloseIdleConnections()
	}
}
