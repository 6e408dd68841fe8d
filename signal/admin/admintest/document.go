package admintest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Docs is the path of the documents, relative to the directory of a package's test.
var Docs = sync.OnceValue(func() string {
	dir := "docs"
	for range 10 {
		if _, err := os.Stat(filepath.Join(dir, "openapi.yaml")); err == nil {
			break
		}
		dir = filepath.Join("..", dir)
	}
	return dir
})

// Document is docs/openapi.yaml.
type Document struct {
	Paths map[string]map[string]any // path -> method, in lower case, or "parameters"
	any   any
}

// ReadDocument reads it once.
var ReadDocument = sync.OnceValues(func() (d Document, err error) {
	text, err := os.ReadFile(filepath.Join(Docs(), "openapi.yaml"))
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

// Routes returns the documented requests as [http.ServeMux] patterns.
func (d Document) Routes() (routes []string) {
	for path, item := range d.Paths {
		for method := range item {
			if method != "parameters" {
				routes = append(routes, strings.ToUpper(method)+" "+path)
			}
		}
	}
	return routes
}

// Schema compiles the schema at a JSON pointer into the document.
func (d Document) Schema(t *testing.T, tokens ...string) *jsonschema.Schema {
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

// Conforms checks an answer of the admin API against the document.
func Conforms(t *testing.T, method, path string, w *httptest.ResponseRecorder) {
	t.Helper()
	d, err := ReadDocument()
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for _, route := range d.Routes() {
		mux.HandleFunc(route, http.NotFound)
	}
	_, pattern := mux.Handler(httptest.NewRequest(method, path, nil))
	_, template, _ := strings.Cut(pattern, " ")
	status, kind := strconv.Itoa(w.Code), w.Header().Get("Content-Type")
	var schema *jsonschema.Schema
	switch {
	case w.Code >= 400:
		if kind != "application/problem+json" {
			t.Fatalf("%s %s: %d with a body of %q", method, path, w.Code, kind)
		}
		schema = d.Schema(t, "components", "schemas", "Problem")
	case d.Paths[template][strings.ToLower(method)] == nil:
		t.Fatalf("%s %s is not in the document", method, path)
	case w.Code == http.StatusNoContent:
		return
	default:
		schema = d.Schema(t, "paths", template, strings.ToLower(method), "responses", status, "content", kind, "schema")
	}
	body, err := jsonschema.UnmarshalJSON(bytes.NewReader(w.Body.Bytes()))
	if err == nil {
		err = schema.Validate(body)
	}
	if err != nil {
		t.Errorf("%s %s: %d is not as the document says: %v\n%s", method, path, w.Code, err, w.Body)
	}
}
