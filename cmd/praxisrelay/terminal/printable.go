package terminal

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable shows what others wrote: a configuration, a server, a proxy, a certificate.
// What a terminal would obey rather than show is written as in Go, like \x1b, line ends
// and what turns the direction of writing included.
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
