package appliance

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
)

// withRemedy adds a remedy to the usual errors when a file or socket cannot be created.
func withRemedy(err error, path string) error {
	folder := filepath.Dir(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: make the folder %s, or name another", err, folder)
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: a part of %s is not a folder: name another", err, folder)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: the daemon's user must be able to write to %s and its contents: "+
			"give it the folder, or name another", err, folder)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: nobody can write to %s: name a folder on another volume", err, folder)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: make room in %s, or name a folder on another volume", err, folder)
	}
	return err
}
