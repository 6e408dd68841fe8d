// Package page is the consultation page: static files that use the browser's own
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
// Mail programs escape the # of an invitation's link, or leave it out, and so send the
// code to the server. The page is the answer there too: it takes the code out of the
// address. Nobody may keep that answer, since it would be kept under the code.
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

// holdsCode reports whether a path is one that no file has and a code may be in: it has
// a # or what was escaped twice, or a code as it is.
func holdsCode(path string) bool {
	_, err := code.Parse(path)
	return err == nil || strings.ContainsAny(path, "#%")
}
