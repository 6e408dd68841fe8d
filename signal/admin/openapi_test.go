package admin

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"praxisrelay/signal/admin/admintest"
)

// TestDocumentHasEveryRoute and no other.
func TestDocumentHasEveryRoute(t *testing.T) {
	d, err := admintest.ReadDocument()
	if err != nil {
		t.Fatal(err)
	}
	var served []string
	for _, route := range routes {
		served = append(served, route.pattern)
	}
	described := d.Routes()
	slices.Sort(served)
	slices.Sort(described)
	if !slices.Equal(served, described) {
		t.Errorf("served:    %q\ndescribed: %q", served, described)
	}
}

// TestDocumentedBodiesAreTaken: the document and the handlers refuse the same bodies.
func TestDocumentedBodiesAreTaken(t *testing.T) {
	d, err := admintest.ReadDocument()
	if err != nil {
		t.Fatal(err)
	}
	schema := d.Schema(t, "components", "schemas", "NewAppointment")
	for body, want := range map[string]bool{
		`{"opens":"2026-12-01T09:00:00Z"}`:                          true,
		`{"opens":"2026-12-01T10:00:00+01:00","ref":"2026-0815"}`:   true,
		`{"opens":"2026-12-01T09:00:00Z","patient":"x"}`:            false,
		`{"opens":"2026-12-01T09:00:00Z","id":"jnrgqgsnkz2ja"}`:     false,
		`{"opens":"2026-12-01T09:00:00Z","ref":"M. Muster, 030 1"}`: false,
		`{"opens":"10 o'clock"}`:                                    false,
		`{}`:                                                        false,
	} {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); (err == nil) != want {
			t.Errorf("the document on %s: %v", body, err)
		}
		l := quick(newLab(t))
		if status, answer := l.admin("POST", "/v1/appointments", body); (status == http.StatusCreated) != want {
			t.Errorf("the handler on %s: %d %s", body, status, answer)
		}
	}
}

// TestEveryProblemIsDocumented, in docs/admin-api.md and in the schema, and no other.
func TestEveryProblemIsDocumented(t *testing.T) {
	read := func(file, row string) (found []string) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(row).FindAllStringSubmatch(string(text), -1) {
			found = append(found, match[1])
		}
		slices.Sort(found)
		return found
	}
	made := read("problem.go", `= kind\{"([a-z-]+)"`)
	for _, file := range []string{"admin-api.md", "openapi.yaml"} {
		if got := read(filepath.Join(admintest.Docs(), file), "(?m)^(?: +- |\\| `)/problems/([a-z-]+)"); len(made) == 0 || !slices.Equal(got, made) {
			t.Errorf("docs/%s has the problems %q, want %q", file, got, made)
		}
	}
}
