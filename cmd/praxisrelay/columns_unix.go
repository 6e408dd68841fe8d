//go:build unix

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// columns is how many columns a terminal has; 80 where it does not say.
func columns(stream any) int {
	if file, ok := stream.(*os.File); ok {
		if size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ); err == nil && size.Col > 0 {
			return int(size.Col)
		}
	}
	return 80
}
