package apptest

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Get returns the status and the body of a page on the metrics' listener.
func (s *Served) Get(t testing.TB, path string) (int, string) {
	t.Helper()
	response, err := http.Get(s.Monitoring + path)
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

// Scrape returns the metrics as Prometheus gets them.
func (s *Served) Scrape(t testing.TB) string {
	t.Helper()
	status, body := s.Get(t, "/metrics")
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	return body
}

// Families parses scraped metrics, by name.
func Families(t testing.TB, scraped string) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(scraped))
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// Descriptors returns the number of a process's open file descriptors.
func Descriptors(t *testing.T, pid int) int {
	t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
