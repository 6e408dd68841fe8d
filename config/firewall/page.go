package firewall

import (
	"context"
	"io"
	"net/http"

	"praxisrelay/config/lang"

	"golang.org/x/text/language"
)

// Handler serves, at /firewall, the table of what clients need, for the administrators of their
// firewalls, and its style at /firewall.css. Every request gets the current plan. The language is
// the browser's, or that of ?lang= in the URL.
func Handler(plan func(context.Context) Plan) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/firewall.css" {
			w.Header().Set("Content-Type", "text/css; charset=utf-8")
			_, _ = io.WriteString(w, style)
			return
		}
		l := languageOf(r)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Language", string(l))
		w.Header().Set("Vary", "Accept-Language")
		p := plan(r.Context())
		// Only the connection can fail here.
		_ = pageTemplate.Execute(w, sheet{
			Language: l, Title: p.title(l), AsOf: p.asOf(l), Intro: texts.Page.In(l), Back: texts.Back.In(l),
			Tables: p.sheetTables(l, ClientEgress),
		})
	})
}

var matcher = language.NewMatcher([]language.Tag{language.English, language.German})

func languageOf(r *http.Request) lang.Language {
	if l, err := lang.Parse(r.URL.Query().Get("lang")); err == nil {
		return l
	}
	if _, i := language.MatchStrings(matcher, r.Header.Get("Accept-Language")); i == 1 {
		return lang.German
	}
	return lang.English
}
