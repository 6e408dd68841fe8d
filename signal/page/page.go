// Package page is the consultation page: static files that use only the browser's own
// platform, without a build step.
package page

import (
	"embed"
	"net/http"
	"strings"

	"praxisrelay/signal/code"
)

//go:embed index.html style.css icon.svg *.js
var files embed.FS

// Handler serves the page at / and its modules next to it.
//
// Mail programs may escape the # of an invitation's link, or leave it out, and so send the
// code to the server. The answer is the page there too, which takes the code out of the
// address. That answer must not be cached, since the cache would store it under the code.
func Handler() http.Handler {
	serve := packed(http.FileServerFS(files))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if holdsCode(r.URL.Path) {
			w.Header().Set("Cache-Control", "no-store")
			r = r.Clone(r.Context())
			r.URL.Path = "/"
		}
		serve.ServeHTTP(w, r)
	})
}

// holdsCode reports whether a path, which no file has, may hold a code: either the code
// itself, or a # or a second escaping.
func holdsCode(path string) bool {
	_, err := code.Parse(path)
	return err == nil || strings.ContainsAny(path, "#%")
}
