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
	width   int // of what stands there
}

// NewLine is for a terminal of so many columns.
func NewLine(w io.Writer, columns func() int) *Line { return &Line{w: w, columns: columns} }

// LineOn is for a terminal as wide as it says.
func LineOn(w io.Writer) *Line { return NewLine(w, func() int { return columns(w) }) }

// Fits reports whether a text is narrower than the terminal.
func (l *Line) Fits(text string) bool { return utf8.RuneCountInString(text) < l.columns() }

// Show shows as much of a text as fits. An empty one leaves nothing.
func (l *Line) Show(text string) {
	text = string([]rune(text)[:max(min(utf8.RuneCountInString(text), l.columns()-1), 0)])
	fmt.Fprintf(l.w, "\r%-*s", l.width, text) // counts in characters
	if l.width = utf8.RuneCountInString(text); text == "" {
		fmt.Fprint(l.w, "\r")
	}
}

// Write writes above the line, which has to be empty.
func (l *Line) Write(text []byte) (int, error) { return l.w.Write(text) }
