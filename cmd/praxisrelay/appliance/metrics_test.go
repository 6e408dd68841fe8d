package appliance_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/signal/code"
)

// TestMetricsFollowTheConventions checks the metrics with Prometheus's own linter.
func TestMetricsFollowTheConventions(t *testing.T) {
	promtool := apptest.Tool(t, "promtool", "prometheus")
	check := exec.Command(promtool, "check", "metrics")
	check.Stdin = strings.NewReader(apptest.StartServe(t, nil).Scrape(t))
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestSeriesDoNotGrow checks that the number of series does not depend on clients: it is the same
// with ten thousand sessions as with none.
func TestSeriesDoNotGrow(t *testing.T) {
	const count = 10_000
	binary, err := apptest.PlainBinary()
	if err != nil {
		t.Fatal(err)
	}
	file, folder := apptest.WriteConfig(t)
	keys := apptest.FillRegistry(t, folder, count)
	s := apptest.NewServed(folder)
	c := exec.Command(binary, "serve", "--config", file)
	c.Env = append(os.Environ(), apptest.AsProgram+"=1")
	s.Daemon = apptest.Start(t, c, true, s.Serving)
	series := func() (names []string) {
		for name, family := range apptest.Families(t, s.Scrape(t)) {
			for _, m := range family.Metric {
				names = append(names, name+fmt.Sprint(m.Label))
			}
		}
		slices.Sort(names)
		return names
	}
	before := series()

	https := s.HTTPS(t)
	queue := make(chan code.Keys)
	var joining sync.WaitGroup
	for range 8 {
		joining.Go(func() {
			for k := range queue {
				if err := pollOnce(t.Context(), https, s.URL, k); err != nil {
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
	if want := fmt.Sprintf("praxisrelay_signal_sessions{transport=\"away\"} %d\n",
		count); !strings.Contains(s.Scrape(t), want) {
		t.Errorf("there are not as many sessions: want %s", want)
	}
	if !slices.Equal(before, after) {
		t.Errorf("%d series have become %d:\n%s", len(before), len(after), strings.Join(after, "\n"))
	}
	t.Logf("%d series", len(after))
}

// pollOnce joins with one poll and goes away.
func pollOnce(ctx context.Context, https *http.Client, url string, keys code.Keys) error {
	epoch := base64.RawURLEncoding.EncodeToString(keys.JoinToken[:16]) // random, like all keys here
	body := fmt.Sprintf(`{"frames":[{"join":{"token":"%s","epoch":"%s"}}]}`,
		base64.StdEncoding.EncodeToString(keys.JoinToken[:]), epoch)
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

// TestMonitoringNamesEveryMetric checks that the table in docs/monitoring.md is what the daemon
// exposes. The flag -update-monitoring rewrites the table.
func TestMonitoringNamesEveryMetric(t *testing.T) {
	file := apptest.InTree("docs", "monitoring.md")
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
	configuration, folder := apptest.WriteConfig(t)
	apptest.Edit(t, configuration, "metrics: {", "metrics: {synthetic_calls: 10s, ")
	s := apptest.NewServed(folder)
	s.Daemon = apptest.Start(t, apptest.Program("serve", "--config", configuration), true, s.Serving)
	scraped := s.Scrape(t)
	for began := time.Now(); !strings.Contains(scraped, "praxisrelay_synthetic_call_success") &&
		time.Since(began) < time.Minute; {
		scraped = s.Scrape(t)
	}
	want := head + begin + metricsTable(apptest.Families(t, scraped)) + end + tail
	if *updateMonitoring {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(text) != want {
		t.Errorf("%s is stale: run go test -run %s ./cmd/praxisrelay/appliance -update-monitoring", file, t.Name())
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
			// their values depend on the installation
			if name != "praxisrelay_build_info" && label[0] != "port" && label[0] != "family" {
				slices.Sort(label[1:])
				labels[len(labels)-1] += ": " + strings.Join(label[1:], ", ")
			}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, strings.ToLower(family.GetType().String()),
			strings.Join(labels, "; "), family.GetHelp())
	}
	return b.String()
}

// labelValues are a metric's labels, each followed by its values.
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
