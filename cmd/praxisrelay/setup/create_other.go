//go:build !linux

package setup

import "io/fs"

// createFile makes a file with all that is in it. It fails where path exists.
func createFile(path string, mode fs.FileMode, text []byte) error {
	return createNamed(path, mode, text)
}
