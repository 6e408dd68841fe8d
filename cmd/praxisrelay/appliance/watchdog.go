package appliance

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"praxisrelay/relay/probe"
	"praxisrelay/systemd"
)

// selfProbe returns a probe of this appliance's own listeners.
func (a *Appliance) selfProbe() func(context.Context) error {
	self := probe.Self{UDP: a.addresses.UDP, HTTPS: a.addresses.HTTPS,
		Proxies: a.inEffect().Listen.ProxyProtocolFrom, ID: a.relay.Own()}
	if len(a.addresses.TCP) > 0 {
		self.TCP = a.addresses.TCP[:1] // the others only differ in their port
	}
	return self.Check
}

// feedWatchdog probes the appliance twice per interval that the service manager allows, and reports
// it alive only if the probe succeeds. state describes the appliance when all is well.
func feedWatchdog(ctx context.Context, allowed time.Duration,
	probe func(context.Context) error, state func() string, log *slog.Logger) {
	half := time.NewTicker(allowed / 2)
	defer half.Stop()
	for failing := false; ; {
		// A later answer would feed the watchdog too late anyway.
		probing, cancel := context.WithTimeout(ctx, allowed*2/5)
		err := probe(probing)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			_ = systemd.Feed()
			if failing {
				_ = systemd.Status(state())
				log.Info("the appliance answers itself again")
			}
		default:
			reason := strings.ReplaceAll(err.Error(), "\n", "; ")
			_ = systemd.Status("the appliance does not answer itself: " + reason)
			log.Error("the appliance does not answer itself: the watchdog is not fed", "error", reason)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-half.C:
		}
	}
}
