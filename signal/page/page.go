// Package page is the consultation page: static files that use the browser's own
// platform, without a build step.
package page

import (
	"embed"
	"net/http"
)

//go:embed index.html style.css icon.svg *.js
var files embed.FS

// Handler serves the page at / and its modules beside it.
func Handler() http.Handler { return http.FileServerFS(files) }
