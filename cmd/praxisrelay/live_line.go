package main

import (
	"fmt"
	"io"
	"unicode/utf8"
)

// liveLine is a line on a terminal that the next one is written over. One that were
// wrapped could not be.
type liveLine struct {
	w       io.Writer
	columns func() int
	width   int // of what stands there
}

func (l *liveLine) fits(text string) bool { return utf8.RuneCountInString(text) < l.columns() }

// show shows as much of a text as fits. An empty one leaves nothing.
func (l *liveLine) show(text string) {
	text = string([]rune(text)[:max(min(utf8.RuneCountInString(text), l.columns()-1), 0)])
	fmt.Fprintf(l.w, "\r%-*s", l.width, text) // counts in characters
	if l.width = utf8.RuneCountInString(text); text == "" {
		fmt.Fprint(l.w, "\r")
	}
}
