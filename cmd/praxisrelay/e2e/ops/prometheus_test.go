package ops

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"praxisrelay/cmd/praxisrelay/apptest"
)

// monitoringFile returns the path of a file shipped for Prometheus and Grafana.
func monitoringFile(name string) string { return apptest.InTree("docs", "monitoring", name) }

// readYAML reads a file into maps and lists, which keeps everything when it is written again.
func readYAML(t testing.TB, file string) (content map[string]any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &content); err != nil {
		t.Fatal(err)
	}
	return content
}

func writeYAML(t testing.TB, file string, content any) {
	t.Helper()
	text, err := yaml.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// monitor is a running Prometheus with the shipped rules.
type monitor struct {
	*testing.T
	url string
}

// startPrometheus runs Prometheus with the shipped configuration, but with these targets and
// shorter intervals, and with the shipped rules, but without their waiting times.
func startPrometheus(t *testing.T, targets ...string) *monitor {
	t.Helper()
	binary := apptest.Tool(t, "prometheus", "prometheus")
	folder := t.TempDir()
	config := readYAML(t, monitoringFile("prometheus.yaml"))
	global := config["global"].(map[string]any)
	global["scrape_interval"], global["evaluation_interval"] = "250ms", "250ms"
	job := config["scrape_configs"].([]any)[0].(map[string]any)
	job["static_configs"] = []any{map[string]any{"targets": targets}}
	file := filepath.Join(folder, "prometheus.yaml")
	writeYAML(t, file, config)

	rules := readYAML(t, monitoringFile("alerts.yaml"))
	for _, rule := range alertRules(rules) {
		delete(rule, "for")
	}
	writeYAML(t, filepath.Join(folder, config["rule_files"].([]any)[0].(string)), rules)

	p := &monitor{T: t}
	c := exec.Command(binary, "--config.file", file,
		"--storage.tsdb.path", filepath.Join(folder, "data"), "--web.listen-address", "127.0.0.1:0")
	apptest.Start(t, c, true, func(line string) bool {
		_, address, ok := strings.Cut(line, `msg="Listening on" address=`)
		if ok {
			p.url = "http://" + address
		}
		return strings.Contains(line, "Server is ready to receive web requests")
	})
	if p.url == "" {
		t.Fatal("Prometheus did not report its address")
	}
	return p
}

// alertRules are the alert rules in a file.
func alertRules(file map[string]any) (rules []map[string]any) {
	for _, group := range file["groups"].([]any) {
		for _, rule := range group.(map[string]any)["rules"].([]any) {
			rules = append(rules, rule.(map[string]any))
		}
	}
	return rules
}

// alertName identifies an alert by its name and severity.
func alertName(name, severity any) string { return fmt.Sprint(name, " ", severity) }

// api sends a request to Prometheus's HTTP API.
func (p *monitor) api(path string, answer any) {
	p.Helper()
	response, err := http.Get(p.url + "/api/v1/" + path)
	if err != nil {
		p.Fatal(err)
	}
	defer response.Body.Close()
	var body struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil {
		p.Fatal(err)
	}
	if body.Status != "success" {
		p.Fatalf("%s: %s", path, body.Error)
	}
	if err := json.Unmarshal(body.Data, answer); err != nil {
		p.Fatal(err)
	}
}

// query returns the numeric values of an expression.
func (p *monitor) query(expr string) (values []float64) {
	p.Helper()
	var answer struct {
		Result []struct{ Value [2]any }
	}
	p.api("query?query="+url.QueryEscape(expr), &answer)
	for _, series := range answer.Result {
		value, err := strconv.ParseFloat(series.Value[1].(string), 64)
		if err != nil {
			p.Fatal(err)
		}
		if !math.IsNaN(value) {
			values = append(values, value)
		}
	}
	return values
}

// firing returns an instance's firing alerts.
func (p *monitor) firing(instance string) map[string]bool {
	p.Helper()
	var answer struct {
		Alerts []struct {
			Labels map[string]string
			State  string
		}
	}
	p.api("alerts", &answer)
	firing := map[string]bool{}
	for _, alert := range answer.Alerts {
		if alert.Labels["instance"] == instance && alert.State == "firing" {
			firing[alertName(alert.Labels["alertname"], alert.Labels["severity"])] = true
		}
	}
	return firing
}

// until waits for a condition.
func (p *monitor) until(what string, is func() bool) {
	p.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(2 * time.Minute); !is(); <-ticker.C {
		if time.Now().After(deadline) {
			p.Fatalf("not in time: %s", what)
		}
	}
}

// scraped waits until everything that has happened so far has been scraped.
func (p *monitor) scraped(instance string) {
	p.Helper()
	since := float64(time.Now().UnixMilli()) / 1000
	p.until("a scrape of "+instance, func() bool {
		at := p.query(fmt.Sprintf("timestamp(up{instance=%[1]q}) and up{instance=%[1]q} == 1", instance))
		return len(at) == 1 && at[0] > since
	})
}

// dashboardQueries are the dashboard's queries for all instances, by panel.
func dashboardQueries(t testing.TB) map[string]string {
	t.Helper()
	text, err := os.ReadFile(monitoringFile("grafana.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ RefID, Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	queries := map[string]string{}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries[panel.Title+" "+target.RefID] = strings.NewReplacer("$__rate_interval", "1m",
				"$instance", ".*").Replace(target.Expr)
		}
	}
	return queries
}

// TestAlertsAsTables runs Prometheus's own tests of the rules: when each alert fires, and when it
// does not.
func TestAlertsAsTables(t *testing.T) {
	t.Parallel()
	promtool := apptest.Tool(t, "promtool", "prometheus")
	tests := filepath.Join("testdata", "alerts.yaml")
	if out, err := exec.Command(promtool, "test", "rules", tests).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, test := range readYAML(t, tests)["tests"].([]any) {
		for _, c := range test.(map[string]any)["alert_rule_test"].([]any) {
			c := c.(map[string]any)
			expected, _ := c["exp_alerts"].([]any)
			if len(expected) == 0 {
				silent[fmt.Sprint(c["alertname"])] = true
			}
			for _, alert := range expected {
				fires[alertName(c["alertname"],
					alert.(map[string]any)["exp_labels"].(map[string]any)["severity"])] = true
			}
		}
	}
	for _, rule := range alertRules(readYAML(t, monitoringFile("alerts.yaml"))) {
		name := alertName(rule["alert"], rule["labels"].(map[string]any)["severity"])
		if !fires[name] || !silent[fmt.Sprint(rule["alert"])] {
			t.Errorf("no test of when %s fires (%v), or of when it does not (%v)", name, fires[name],
				silent[fmt.Sprint(rule["alert"])])
		}
	}
}

// TestEveryAlertHasARunbook checks that each alert names a heading of docs/monitoring.md, and that
// the runbook has no others.
func TestEveryAlertHasARunbook(t *testing.T) {
	text, err := os.ReadFile(apptest.InTree("docs", "monitoring.md"))
	if err != nil {
		t.Fatal(err)
	}
	headings := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "### "); ok {
			headings[name] = true
		}
	}
	alerts := map[string]bool{}
	for _, rule := range alertRules(readYAML(t, monitoringFile("alerts.yaml"))) {
		name := rule["alert"].(string)
		alerts[name] = true
		annotations := rule["annotations"].(map[string]any)
		if want := "docs/monitoring.md#" + strings.ToLower(name); annotations["runbook"] != want ||
			!headings[name] || annotations["summary"] == "" {
			t.Errorf("%s: %v, a heading: %v", name, annotations, headings[name])
		}
	}
	for heading := range headings {
		if !alerts[heading] {
			t.Errorf("the runbook has %s, which is not an alert", heading)
		}
	}
}
