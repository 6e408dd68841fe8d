package appliance

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
)

// listenAdmin opens the admin socket for the daemon's own user. It replaces a socket left behind by
// a dead daemon.
func listenAdmin(path string) (net.Listener, error) {
	if conn, err := net.Dial("unix", path); err == nil {
		conn.Close()
		return nil, fmt.Errorf(
			"signal.admin_socket: another praxisrelay serves %s: stop that one first", path)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() != fs.ModeSocket {
		return nil, fmt.Errorf("signal.admin_socket: %s exists and is not a socket: name another "+
			"path, or move it away", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("signal.admin_socket: %w", withRemedy(err, path))
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("signal.admin_socket: %w", withRemedy(err, path))
	}
	if err := os.Chmod(path, 0o600); err != nil {
		listener.Close()
		return nil, fmt.Errorf("signal.admin_socket: %w", err)
	}
	return listener, nil
}
