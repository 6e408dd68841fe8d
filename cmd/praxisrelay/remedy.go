package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"syscall"
)

// remedy says what to do about the usual reasons why a port cannot be bound.
func remedy(err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w: stop what has the port (ss -lptun shows it) or choose another", err)
	case errors.Is(err, fs.ErrPermission) && portOf(err) >= 1024:
		return fmt.Errorf("%w: SELinux, AppArmor or the unit's SocketBindDeny= keep the daemon from this port: allow it there, or choose another", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: a port below 1024 needs a socket unit that is bound to the same address, root or CAP_NET_BIND_SERVICE", err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%w: use an address of this host, or none for all", err)
	case errors.Is(err, syscall.EAFNOSUPPORT):
		return fmt.Errorf("%w: this host does not have that version of IP: use an address of the other", err)
	case errors.Is(err, syscall.EMFILE):
		return fmt.Errorf("%w: raise the limit of open files (LimitNOFILE= in the unit, ulimit -n)", err)
	}
	return err
}

// portOf returns the port that a listener was refused; 0 where the error does not say.
func portOf(err error) int {
	var refused *net.OpError
	if !errors.As(err, &refused) {
		return 0
	}
	switch addr := refused.Addr.(type) {
	case *net.TCPAddr:
		return addr.Port
	case *net.UDPAddr:
		return addr.Port
	}
	return 0
}

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
