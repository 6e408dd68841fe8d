package page

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

// packed serves the files compressed, to a third of their bytes, and leaves to next what
// is no file, and clients that take no gzip.
func packed(next http.Handler) http.Handler {
	bodies := map[string][]byte{} // by path
	names, _ := fs.Glob(files, "*")
	for _, name := range names {
		plain, _ := files.ReadFile(name)
		var body bytes.Buffer
		w, _ := gzip.NewWriterLevel(&body, gzip.BestCompression)
		_, _ = w.Write(plain)
		_ = w.Close()
		bodies["/"+strings.TrimSuffix(name, "index.html")] = body.Bytes()
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept-Encoding")
		body, found := bodies[r.URL.Path]
		if !found || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			next.ServeHTTP(w, r)
			return
		}
		extension := path.Ext(r.URL.Path)
		if extension == "" {
			extension = ".html"
		}
		w.Header().Set("Content-Type", mime.TypeByExtension(extension))
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(body)
	})
}
