package apptest

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// SmallDisk returns a folder on its own file system of the given size.
func SmallDisk(t *testing.T, size string) string {
	t.Helper()
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size="+size); err != nil {
		if errors.Is(err, unix.EPERM) {
			Skip(t, "only root mounts a small disk")
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(disk, unix.MNT_DETACH) })
	return disk
}
