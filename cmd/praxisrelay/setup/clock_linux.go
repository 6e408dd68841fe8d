package setup

import (
	"errors"

	"golang.org/x/sys/unix"
)

// clockWarning asks the kernel whether somebody keeps its clock right.
func clockWarning() error {
	var t unix.Timex // that asks for nothing to be changed
	if _, err := unix.Adjtimex(&t); err == nil && t.Status&unix.STA_UNSYNC != 0 {
		return errors.New("clock: nothing keeps this host's right: run chrony or systemd-timesyncd, with a time server of your network where there is none to the internet")
	}
	return nil
}
