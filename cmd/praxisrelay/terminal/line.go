package terminal

import (
	"fmt"
	"io"
	"unicode/utf8"
)

// Line is a terminal line that the next one overwrites, so it must not wrap.
type Line struct {
	w       io.Writer
	columns func() int
	width   int // of the text on screen
}

// NewLine returns a Line for a terminal whose width columns reports.
func NewLine(w io.Writer, columns func() int) *Line { return &Line{w: w, columns: columns} }

// LineOn returns a Line as wide as the terminal that w writes to.
func LineOn(w io.Writer) *Line { return NewLine(w, func() int { return columns(w) }) }

// Fits reports whether a text is narrower than the terminal.
func (l *Line) Fits(text string) bool { return utf8.RuneCountInString(text) < l.columns() }

// Show shows as much of a text as fits. An empty text clears the line.
func (l *Line) Show(text string) {
	text = string([]rune(text)[:max(min(utf8.RuneCountInString(text), l.columns()-1), 0)])
	fmt.Fprintf(l.w, "\r%-*s", l.width, text) // the width counts characters, not bytes
	if l.width = utf8.RuneCountInString(text); text == "" {
		fmt.Fprint(l.w, "\r")
	}
}

// Write prints permanent output above the line, which must be empty.
func (l *Line) Write(text []byte) (int, error) { return l.w.Write(text) }
