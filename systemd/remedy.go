package systemd

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"
)

// Remedy adds a remedy to the usual errors of binding a port.
func Remedy(err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w: stop the program that has the port (ss -lptun shows it) or choose another", err)
	case errors.Is(err, fs.ErrPermission) && RefusedPort(err) >= 1024:
		return fmt.Errorf("%w: SELinux, AppArmor or the unit's SocketBindDeny= keep the daemon from this port: "+
			"allow it there, or choose another", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: a port below 1024 needs a socket unit that is bound to the same address, "+
			"root or CAP_NET_BIND_SERVICE", err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%w: use an address of this host, or none for all", err)
	case errors.Is(err, syscall.EAFNOSUPPORT):
		return fmt.Errorf("%w: this host does not have that IP version: use an address of the other", err)
	case errors.Is(err, syscall.EMFILE):
		return fmt.Errorf("%w: raise the limit of open files (LimitNOFILE= in the unit, ulimit -n)", err)
	}
	return err
}

// RefusedPort returns the port that could not be bound; 0 if the error does not contain it.
func RefusedPort(err error) int {
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
