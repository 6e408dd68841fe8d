//go:build !linux

package setup

import "io/fs"

// createFile makes a file with its contents. It fails if path exists.
func createFile(path string, mode fs.FileMode, text []byte) error {
	return createNamed(path, mode, text)
}
