package main

import (
	"os"

	"golang.org/x/sys/windows"
)

// columns is how many columns a console has; 80 where it does not say.
func columns(stream any) int {
	if file, ok := stream.(*os.File); ok {
		var info windows.ConsoleScreenBufferInfo
		if err := windows.GetConsoleScreenBufferInfo(windows.Handle(file.Fd()), &info); err == nil && info.Size.X > 0 {
			return int(info.Size.X)
		}
	}
	return 80
}
