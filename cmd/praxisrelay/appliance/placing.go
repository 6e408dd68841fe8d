package appliance

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
)

// placing says what to do about the usual reasons why a file or socket cannot be made.
func placing(err error, path string) error {
	folder := filepath.Dir(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: make the folder %s, or name another", err, folder)
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: a part of %s is no folder: name another", err, folder)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: the daemon's user must be able to write to %s and what is in it: give it the folder, or name another", err, folder)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: nobody can write to %s: name a folder on another volume", err, folder)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: make room in %s, or name a folder on another volume", err, folder)
	}
	return err
}
