package signal

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// document is docs/openapi.yaml.
type document struct {
	Paths map[string]map[string]any
	any   any
}

var readDocument = sync.OnceValues(func() (d document, err error) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "openapi.yaml"))
	if err != nil {
		return d, err
	}
	if text, err = yaml.YAMLToJSON(text); err != nil {
		return d, err
	}
	if err = json.Unmarshal(text, &d); err != nil {
		return d, err
	}
	d.any, err = jsonschema.UnmarshalJSON(bytes.NewReader(text))
	return d, err
})

// schema compiles what a JSON pointer into the document leads to.
func (d document) schema(t *testing.T, tokens ...string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("openapi.yaml", d.any); err != nil {
		t.Fatal(err)
	}
	pointer := "openapi.yaml#"
	for _, token := range tokens {
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(token)
	}
	schema, err := c.Compile(pointer)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// conforms holds an answer of the admin API against the document.
func (l *lab) conforms(method, path string, w *httptest.ResponseRecorder) {
	l.Helper()
	d, err := readDocument()
	if err != nil {
		l.Fatal(err)
	}
	mux := http.NewServeMux()
	for _, route := range routes {
		mux.HandleFunc(route.pattern, http.NotFound)
	}
	_, pattern := mux.Handler(httptest.NewRequest(method, path, nil))
	_, template, _ := strings.Cut(pattern, " ")
	status, kind := strconv.Itoa(w.Code), w.Header().Get("Content-Type")
	var schema *jsonschema.Schema
	switch {
	case w.Code >= 400:
		if kind != "application/problem+json" {
			l.Fatalf("%s %s: %d with a body of %q", method, path, w.Code, kind)
		}
		schema = d.schema(l.T, "components", "schemas", "Problem")
	case d.Paths[template][strings.ToLower(method)] == nil:
		l.Fatalf("%s %s is not in the document", method, path)
	case w.Code == http.StatusNoContent:
		return
	default:
		schema = d.schema(l.T, "paths", template, strings.ToLower(method), "responses", status, "content", kind, "schema")
	}
	body, err := jsonschema.UnmarshalJSON(bytes.NewReader(w.Body.Bytes()))
	if err == nil {
		err = schema.Validate(body)
	}
	if err != nil {
		l.Errorf("%s %s: %d is not as the document says: %v\n%s", method, path, w.Code, err, w.Body)
	}
}

// TestDocumentHasEveryRoute and no other.
func TestDocumentHasEveryRoute(t *testing.T) {
	d, err := readDocument()
	if err != nil {
		t.Fatal(err)
	}
	var served, described []string
	for _, route := range routes {
		served = append(served, route.pattern)
	}
	for path, item := range d.Paths {
		for method := range item {
			if method != "parameters" {
				described = append(described, strings.ToUpper(method)+" "+path)
			}
		}
	}
	slices.Sort(served)
	slices.Sort(described)
	if !slices.Equal(served, described) {
		t.Errorf("served:    %q\ndescribed: %q", served, described)
	}
}

// TestDocumentedBodiesAreTaken: the document refuses what the handlers do.
func TestDocumentedBodiesAreTaken(t *testing.T) {
	d, err := readDocument()
	if err != nil {
		t.Fatal(err)
	}
	schema := d.schema(t, "components", "schemas", "NewAppointment")
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
		if got := read(filepath.Join("..", "docs", file), "(?m)^(?: +- |\\| `)/problems/([a-z-]+)"); len(made) == 0 || !slices.Equal(got, made) {
			t.Errorf("docs/%s has the problems %q, want %q", file, got, made)
		}
	}
}
