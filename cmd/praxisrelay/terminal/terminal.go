// Package terminal has what the commands share that somebody looks at.
//
//	terminal.go    whether it is a terminal, and how wide
//	printable.go   what others wrote, shown rather than obeyed
//	line.go        a line that the next one overwrites
package terminal

import (
	"fmt"
	"os"

	"golang.org/x/term"
)

// Is reports whether somebody may look at, or type into, what a command has for its
// output or input.
func Is(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// columns is how many columns a terminal has; 80 where it does not say.
func columns(stream any) int {
	if file, ok := stream.(*os.File); ok {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return 80
}

// ExitCode is an error that only sets the exit status: the command has printed its result.
type ExitCode int

func (c ExitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }
