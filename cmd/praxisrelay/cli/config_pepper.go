package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"

	"praxisrelay/config"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/client"
	"praxisrelay/signal/protocol"
)

// tryPepper compares peppers with the configured registry, through the daemon if it is running.
// Without a registry, or without the permission to read it, nothing is reported.
func tryPepper(ctx context.Context, c config.Config, peppers [][]byte) (fit protocol.PepperFit) {
	if _, err := os.Stat(c.Signal.Registry); err != nil {
		return fit
	}
	fit, err := client.NewAdmin(c.Signal.AdminSocket).FitPepper(ctx, peppers)
	if err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED) {
		return fit
	}
	list, err := appointment.Read(ctx, c.Signal.Registry)
	pepper, invalid := appointment.NewPepper(peppers...)
	if err != nil && !errors.Is(err, appointment.ErrDamaged) || invalid != nil {
		return fit
	}
	return protocol.PepperFit(pepper.Fit(list, time.Now()))
}
