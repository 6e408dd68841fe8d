package cli

import (
	"fmt"
	"io"

	"praxisrelay/cmd/praxisrelay/terminal"
)

// progress shows on a terminal how much of a long list is done.
type progress struct {
	w        io.Writer // nil: nobody is watching
	done, of int
}

// newProgress shows progress on stderr if that is a terminal and stdout is not: on a terminal, the
// rows themselves show the progress.
func newProgress(stdout, stderr io.Writer, of int) *progress {
	p := &progress{of: of}
	if terminal.Is(stderr) && !terminal.Is(stdout) {
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
