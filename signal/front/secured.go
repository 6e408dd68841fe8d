package front

import "net/http"

// Secured sets the headers of every answer from the appliance of that name.
func Secured(name string, next http.Handler) http.Handler {
	// Browsers apply it to all ports of a name, and never to an address. On localhost it would hit
	// other programs.
	https := name != "localhost"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "+
			"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "+
			"require-trusted-types-for 'script'; trusted-types 'none'")
		h.Set("Permissions-Policy", "camera=(self), microphone=(self), display-capture=(), geolocation=()")
		h.Set("Referrer-Policy", "no-referrer")
		if https {
			h.Set("Strict-Transport-Security", "max-age=31536000") // other names in the domain are not ours
		}
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-cache")
		next.ServeHTTP(w, r)
	})
}
