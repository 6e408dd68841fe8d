// Package terminal holds what commands need to talk to a person at a terminal.
//
//	terminal.go    detects a terminal and its width
//	printable.go   shows text from outside without letting the terminal obey it
//	line.go        a line that is overwritten by the next one
package terminal

import (
	"fmt"
	"os"

	"golang.org/x/term"
)

// Is reports whether a command's input or output is a terminal, so that a person may be looking at
// it or typing into it.
func Is(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// columns returns a terminal's width, or 80 if the terminal does not report it.
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
