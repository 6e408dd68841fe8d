package terminal

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable makes text from outside (a configuration, a server, a proxy, a certificate) safe to
// show. Characters that a terminal would obey are escaped as in Go, like \x1b. So are line breaks
// and characters that change the direction of writing.
func Printable(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		shown := text[:size]
		if r == utf8.RuneError && size == 1 || !unicode.IsGraphic(r) {
			shown = strings.Trim(strconv.Quote(shown), `"`)
		}
		b.WriteString(shown)
		text = text[size:]
	}
	return b.String()
}
