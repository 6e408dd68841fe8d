package signal

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"praxisrelay/signal/protocol"
)

// TestSocketsOfTheOwnPage are accepted however a proxy or browser writes the name; refused ones
// from other sites leave a trace.
func TestSocketsOfTheOwnPage(t *testing.T) {
	var log bytes.Buffer
	l := newLab(t, func(o *Options) {
		o.Name, o.URL, o.Log = "xn--praxis-mller-klb.test", "https://xn--praxis-mller-klb.test/", slog.New(slog.NewTextHandler(&log, nil))
	})
	client := l.web.Client()
	client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, l.web.Listener.Addr().String())
	}
	client.Transport.(*http.Transport).TLSClientConfig.ServerName = "example.com" // of the test's certificate
	const name = "xn--praxis-mller-klb.test"
	refused := 0
	for _, test := range []struct {
		host, origin string
		taken        bool
	}{
		{name, "https://" + name, true},
		{name, "", true},
		{name + ":443", "https://" + name, true},
		{name, "https://" + name + ":443", true},
		{strings.ToUpper(name) + ".", "https://" + name, true},
		{name, "https://" + name + ".", true},
		{"praxis-müller.test", "https://" + name, true},
		{"10.0.0.5:8443", "https://" + name, true}, // a proxy substituted its own name
		{"backend", "https://" + name + ":8443", true},
		{"alias.test", "https://alias.test", true}, // another name of the same host
		{"192.0.2.1:443", "https://192.0.2.1", true},
		{"[2001:db8::1]:443", "https://[2001:db8::1]", true},
		{name, "https://elsewhere.test", false},
		{name, "https://" + name + ".elsewhere.test", false},
		{name, "https://elsewhere.test/" + name, false},
		{name, "https://" + name + "@elsewhere.test", false},
		{"backend", "https://alias.test", false},
		{"alias.test:8443", "https://alias.test", false},
		{name, "null", false},
		{name, "https://", false},
		{"", "https://", false},
		{name, "https://%zz", false},
	} {
		header := http.Header{}
		if test.origin != "" {
			header.Set("Origin", test.origin)
		}
		socket, response, err := websocket.Dial(t.Context(), "wss://unused.test/v1/signal", &websocket.DialOptions{
			HTTPClient: client, Subprotocols: []string{protocol.Subprotocol}, Host: test.host, HTTPHeader: header,
		})
		if err == nil {
			socket.CloseNow()
		} else if response == nil || response.StatusCode != http.StatusForbidden {
			t.Errorf("Host %q, Origin %q: %v", test.host, test.origin, err)
		}
		if taken := err == nil; taken != test.taken {
			t.Errorf("Host %q, Origin %q is taken: %v", test.host, test.origin, taken)
		}
		if !test.taken {
			refused++
		}
	}
	if lines := strings.Count(log.String(), `level=WARN msg="a WebSocket of another site's page is refused" network=127.0.0.1`); lines != refused {
		t.Errorf("%d were refused, and %d are in\n%s", refused, lines, &log)
	}

	response, err := client.Get("https://unused.test/v1/signal") // as behind a proxy that strips Upgrade
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	socket, _, err := websocket.Dial(t.Context(), "wss://unused.test/v1/signal", &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.CloseNow()
	if _, _, err := socket.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("closed with %v, want 1008", err)
	}
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(l.Collector())
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, family := range families {
		if family.GetName() == "praxisrelay_signal_sockets_refused_total" {
			for _, metric := range family.GetMetric() {
				counts[metric.GetLabel()[0].GetValue()] = int(metric.GetCounter().GetValue())
			}
		}
	}
	if counts[refusedOrigin] != refused || counts[refusedUpgrade] != 1 || counts[refusedSubprotocol] != 1 {
		t.Errorf("counted %v, want %d of other origins and one each", counts, refused)
	}
}
