// Package systemd is what the daemon has to do with its service manager, and the
// units it is run by.
package systemd

import (
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Ready tells the service manager, if there is one, that everything is bound and
// served.
func Ready() error { return notify(daemon.SdNotifyReady) }

// Stopping tells it that the daemon ends.
func Stopping() error { return notify(daemon.SdNotifyStopping) }

// Status tells it in one line what the daemon does, for systemctl status.
func Status(text string) error { return notify("STATUS=" + text) }

// ExtendTimeout makes it wait for so long from now, at least, until what is under way is
// done, a start or a stop; see EXTEND_TIMEOUT_USEC in sd_notify(3).
func ExtendTimeout(d time.Duration) error {
	return notify(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", d.Microseconds()))
}

// Watchdog returns how long the service manager waits for the next Feed before it ends
// the daemon; zero: it does not. An interval that cannot be read is an error.
func Watchdog() (time.Duration, error) { return daemon.SdWatchdogEnabled(false) }

// Feed tells it that the daemon lives.
func Feed() error { return notify(daemon.SdNotifyWatchdog) }

func notify(state string) error {
	_, err := daemon.SdNotify(false, state)
	return err
}
