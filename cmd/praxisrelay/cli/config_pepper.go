package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"

	"praxisrelay/config"
	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/registry"
)

// tryPepper compares peppers with the configured registry, through the daemon if it is running.
// Without a registry, or without the permission to read it, nothing is reported.
func tryPepper(ctx context.Context, c config.Config, peppers [][]byte) (fit api.PepperFit) {
	if _, err := os.Stat(c.Signal.Registry); err != nil {
		return fit
	}
	fit, err := adminclient.New(c.Signal.AdminSocket).FitPepper(ctx, peppers)
	if err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED) {
		return fit
	}
	list, err := registry.Read(ctx, c.Signal.Registry)
	pepper, invalid := appointment.NewPepper(peppers...)
	if err != nil && !errors.Is(err, registry.ErrDamaged) || invalid != nil {
		return fit
	}
	return api.PepperFit(pepper.Fit(list, time.Now()))
}
