package setup

import (
	"errors"

	"golang.org/x/sys/unix"
)

// clockWarning asks the kernel whether the clock is kept right.
func clockWarning() error {
	var t unix.Timex // zero modes change nothing
	if _, err := unix.Adjtimex(&t); err == nil && t.Status&unix.STA_UNSYNC != 0 {
		return errors.New("clock: nothing keeps this host's clock right: run chrony or " +
			"systemd-timesyncd, with a time server in your network if the internet cannot be reached")
	}
	return nil
}
