// Package systemd is what the daemon has to do with its service manager, and the
// units it is run by.
package systemd

import "github.com/coreos/go-systemd/v22/daemon"

// Ready tells the service manager, if there is one, that everything is bound and
// served.
func Ready() error { return notify(daemon.SdNotifyReady) }

// Stopping tells it that the daemon ends.
func Stopping() error { return notify(daemon.SdNotifyStopping) }

func notify(state string) error {
	_, err := daemon.SdNotify(false, state)
	return err
}
