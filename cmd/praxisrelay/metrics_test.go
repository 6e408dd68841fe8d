package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"praxisrelay/signal/code"
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

// families are the metrics of a scrape by name.
func families(t testing.TB, scraped string) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(scraped))
	if err != nil {
		t.Fatal(err)
	}
	return families
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

// TestSeriesDoNotGrow with what clients do: there are as many with ten thousand sessions
// as with none.
func TestSeriesDoNotGrow(t *testing.T) {
	const count = 10_000
	binary, err := plain()
	if err != nil {
		t.Fatal(err)
	}
	file, folder := writeConfig(t)
	keys := strangers(t, folder, count)
	s := newServed(folder)
	c := exec.Command(binary, "serve", "--config", file)
	c.Env = append(os.Environ(), asProgram+"=1")
	s.daemon = start(t, c, true, s.serving)
	series := func() (names []string) {
		for name, family := range families(t, s.scrape(t)) {
			for _, m := range family.Metric {
				names = append(names, name+fmt.Sprint(m.Label))
			}
		}
		slices.Sort(names)
		return names
	}
	before := series()

	https := s.https(t)
	queue := make(chan code.Keys)
	var joining sync.WaitGroup
	for range 8 {
		joining.Go(func() {
			for k := range queue {
				if err := pollOnce(t.Context(), https, s.url, k); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for _, k := range keys {
		queue <- k
	}
	close(queue)
	joining.Wait()

	after := series()
	if want := fmt.Sprintf("praxisrelay_signal_sessions{transport=\"away\"} %d\n", count); !strings.Contains(s.scrape(t), want) {
		t.Errorf("not as many are there: want %s", want)
	}
	if !slices.Equal(before, after) {
		t.Errorf("%d series have become %d:\n%s", len(before), len(after), strings.Join(after, "\n"))
	}
	t.Logf("%d series", len(after))
}

// pollOnce joins by one poll and goes away.
func pollOnce(ctx context.Context, https *http.Client, url string, keys code.Keys) error {
	epoch := base64.RawURLEncoding.EncodeToString(keys.JoinToken[:16]) // random, as it is here
	body := fmt.Sprintf(`{"frames":[{"join":{"token":"%s","epoch":"%s"}}]}`, base64.StdEncoding.EncodeToString(keys.JoinToken[:]), epoch)
	request, err := http.NewRequestWithContext(ctx, "POST", url+"v1/signal", strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := https.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && !bytes.Contains(text, []byte(`"welcome"`)) {
		err = fmt.Errorf("not welcome: %s", text)
	}
	return err
}

var updateMonitoring = flag.Bool("update-monitoring", false, "write the table of docs/monitoring.md")

// TestMonitoringNamesEveryMetric: the table in docs/monitoring.md is what the daemon
// exposes; -update-monitoring writes it.
func TestMonitoringNamesEveryMetric(t *testing.T) {
	file := inTree("docs", "monitoring.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- metrics -->\n", "<!-- end -->"
	head, rest, ok1 := strings.Cut(string(text), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatal("the table's place is not marked")
	}
	configuration, folder := writeConfig(t)
	edit(t, configuration, "metrics: {", "metrics: {synthetic_calls: 10s, ")
	s := newServed(folder)
	s.daemon = start(t, program("serve", "--config", configuration), true, s.serving)
	scraped := s.scrape(t)
	for began := time.Now(); !strings.Contains(scraped, "praxisrelay_synthetic_call_success") && time.Since(began) < time.Minute; {
		scraped = s.scrape(t)
	}
	want := head + begin + metricsTable(families(t, scraped)) + end + tail
	if *updateMonitoring {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(text) != want {
		t.Errorf("%s is stale: run go test ./cmd/praxisrelay -run %s -update-monitoring", file, t.Name())
	}
}

// metricsTable describes the product's own metrics.
func metricsTable(families map[string]*dto.MetricFamily) string {
	var b strings.Builder
	b.WriteString("| metric | type | labels | meaning, and what to do |\n| --- | --- | --- | --- |\n")
	for _, name := range slices.Sorted(maps.Keys(families)) {
		if !strings.HasPrefix(name, "praxisrelay_") {
			continue
		}
		family := families[name]
		var labels []string
		for _, label := range labelValues(family) {
			labels = append(labels, label[0])
			if name != "praxisrelay_build_info" && label[0] != "port" && label[0] != "family" { // their values are the installation's
				slices.Sort(label[1:])
				labels[len(labels)-1] += ": " + strings.Join(label[1:], ", ")
			}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, strings.ToLower(family.GetType().String()), strings.Join(labels, "; "), family.GetHelp())
	}
	return b.String()
}

// labelValues are the labels of a metric, each with its values behind.
func labelValues(family *dto.MetricFamily) (labels [][]string) {
	for _, m := range family.Metric {
		for i, pair := range m.Label {
			if i == len(labels) {
				labels = append(labels, []string{pair.GetName()})
			}
			if !slices.Contains(labels[i][1:], pair.GetValue()) {
				labels[i] = append(labels[i], pair.GetValue())
			}
		}
	}
	return labels
}

// TestOtherListenersTakeNoDescriptorsFromClients: one who opens as many connections as they
// can, to the metrics or the admin API, gets a share of so many, and others are served
// meanwhile; those without a token are closed after their answer.
func TestOtherListenersTakeNoDescriptorsFromClients(t *testing.T) {
	s := startServe(t, nil)
	for url, path := range map[string]string{s.monitoring: "/metrics", s.api: "/v1/info"} {
		address := strings.TrimPrefix(strings.TrimPrefix(url, "http://"), "https://")
		before := descriptors(t, s.Process.Pid)
		open := func(networks, want int) {
			t.Helper()
			for i := range maxBeside + 100 {
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
				taken = descriptors(t, s.Process.Pid) - before
				if taken >= want-5 && taken <= want+10 { // a few are the daemon's own, for a moment
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("%s: %d descriptors are taken by %d networks, want %d", url, taken, networks, want)
				}
			}
		}
		open(1, maxBeside/4)
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

func descriptors(t *testing.T, pid int) int {
	t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
