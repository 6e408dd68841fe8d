package main

import (
	"fmt"
	"io"
	"os"
)

// progress says on a terminal how far a long list is.
type progress struct {
	w        io.Writer // nil: nobody looks
	done, of int
}

// newProgress shows progress on stderr if it is a terminal and stdout is none: there
// the rows themselves are the progress.
func newProgress(stdout, stderr io.Writer, of int) *progress {
	p := &progress{of: of}
	if isTerminal(stderr) && !isTerminal(stdout) {
		p.w = stderr
	}
	p.show()
	return p
}

func (p *progress) step() {
	p.done++
	p.show()
}

func (p *progress) show() {
	if p.w != nil {
		fmt.Fprintf(p.w, "\r%d of %d appointments", p.done, p.of)
	}
}

func (p *progress) end() {
	if p.w != nil {
		fmt.Fprintln(p.w)
	}
}

// isTerminal tells whether somebody may look at, or type into, what a command has for
// its output or input.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull) // a character device too
	return err != nil || !os.SameFile(info, null)
}
