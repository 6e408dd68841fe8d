package secrets

import "golang.org/x/sys/unix"

// onReadOnly reports whether a file is on a read-only file system.
func onReadOnly(file string) bool {
	var mount unix.Statfs_t
	return unix.Statfs(file, &mount) == nil && mount.Flags&unix.ST_RDONLY != 0
}
