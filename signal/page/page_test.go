package page

import (
	"compress/gzip"
	"io"
	"io/fs"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestThePageIsLight: browsers get every file as it is, and few bytes in all.
func TestThePageIsLight(t *testing.T) {
	names, err := fs.Glob(files, "*")
	if err != nil {
		t.Fatal(err)
	}
	handler, weight := Handler(), 0
	for _, name := range names {
		want, err := files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		path := "/" + strings.TrimSuffix(name, "index.html")
		for _, accepts := range []string{"gzip, deflate, br", ""} {
			r, w := httptest.NewRequest("GET", path, nil), httptest.NewRecorder()
			r.Header.Set("Accept-Encoding", accepts)
			handler.ServeHTTP(w, r)
			var body io.Reader = w.Body
			if accepts != "" {
				weight += w.Body.Len()
				if body, err = gzip.NewReader(w.Body); err != nil {
					t.Fatal(path, err)
				}
			}
			if got, err := io.ReadAll(body); err != nil || string(got) != string(want) {
				t.Errorf("%s: %d of %d bytes, %v", path, len(got), len(want), err)
			}
			wanted := map[string]string{"js": "text/javascript", "css": "text/css", "svg": "image/svg", "html": "text/html"}[name[strings.LastIndex(name, ".")+1:]]
			if kind := w.Header().Get("Content-Type"); !strings.HasPrefix(kind, wanted) || w.Header().Get("Vary") == "" {
				t.Errorf("%s: %q", path, w.Header())
			}
		}
	}
	t.Logf("%d files, %d bytes", len(names), weight)
	if weight > 40_000 {
		t.Errorf("the page weighs %d bytes", weight)
	}
}
