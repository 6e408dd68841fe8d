// Package systemd talks to the service manager, and its tests check the units that run the daemon.
package systemd

import (
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Ready notifies the service manager, if there is one, that everything is bound and served.
func Ready() error { return notify(daemon.SdNotifyReady) }

// Stopping notifies it that the daemon is stopping.
func Stopping() error { return notify(daemon.SdNotifyStopping) }

// Status sets the line that systemctl status shows.
func Status(text string) error { return notify("STATUS=" + text) }

// ExtendTimeout makes it wait at least that much longer, from now, for a start or a stop in
// progress; see EXTEND_TIMEOUT_USEC in sd_notify(3).
func ExtendTimeout(d time.Duration) error {
	return notify(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", d.Microseconds()))
}

// Watchdog returns how long the service manager waits for the next Feed before it kills the daemon;
// zero: it does not. An interval that cannot be read is an error.
func Watchdog() (time.Duration, error) { return daemon.SdWatchdogEnabled(false) }

// Feed notifies it that the daemon is alive.
func Feed() error { return notify(daemon.SdNotifyWatchdog) }

func notify(state string) error {
	_, err := daemon.SdNotify(false, state)
	return err
}
