package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	ossignal "os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"praxisrelay/cmd/praxisrelay/logs"
	"praxisrelay/config"
	"praxisrelay/relay"
	"praxisrelay/relay/certificate"
	"praxisrelay/relay/probe"
	"praxisrelay/systemd"
)

// certificatePoll is how often the certificate's files are looked at; tests hurry.
var certificatePoll = certificate.PollInterval

func serveCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "serve --config FILE",
		Short: "Run the appliance",
		Args:  cobra.NoArgs,
	}
	c.Flags().StringVar(&file, "config", "/etc/praxisrelay/praxisrelay.yaml", "the configuration `file`")
	c.RunE = func(c *cobra.Command, _ []string) error {
		hangup := make(chan os.Signal, 1)
		ossignal.Notify(hangup, syscall.SIGHUP) // now: one that comes sooner ends the process
		settings, secrets, err := loadAll(file, fromCredentials, time.Now())
		if err != nil {
			return err
		}
		log := logs.New(c.ErrOrStderr(), settings.Log.Level, settings.Log.Addresses, time.Now)
		defer log.Close()
		go log.Run(c.Context())
		configured := settings
		if err := findPublicAddress(c.Context(), &settings.Relay); err != nil {
			return err
		}
		sockets := systemd.Inherit()
		a, err := listen(c.Context(), settings, secrets, sockets, log)
		for _, name := range sockets.CloseUnused() {
			log.Warn("no listener of the configuration wants this socket of the service manager", "socket", name)
		}
		if err != nil {
			return err
		}
		a.settings = configured
		where := []any{"url", a.url, "turn_udp", a.addresses.UDP, "turn_tcp", a.addresses.TCP, "turn_tls", a.addresses.TLS, "version", programVersion()}
		if http := a.addresses.HTTP; http.IsValid() {
			where = append(where, "http", http)
		}
		if a.monitoring != nil {
			where = append(where, "metrics", a.monitoring.Addr())
		}
		if a.api != nil {
			where = append(where, "admin", a.api.Addr())
		}
		log.Info("serving", where...)
		go checkName(c.Context(), settings, log.Logger)
		go a.reloadOn(c.Context(), hangup, file)
		go a.watchPorts(c.Context(), log.Logger)
		go a.watchLimits(c.Context())
		go a.pair.Report(c.Context())
		if a.acme != nil {
			go a.acme.Run(c.Context())
		} else {
			go a.pair.Watch(c.Context(), certificatePoll, func() ([]byte, []byte, error) { return readPair(a.inEffect(), a.newest) })
		}
		if err := systemd.Ready(); err != nil {
			log.Warn("the service manager cannot be told", "error", err)
		}
		_ = systemd.Status(a.state())
		serving, stop := context.WithCancel(context.WithoutCancel(c.Context()))
		defer stop()
		context.AfterFunc(c.Context(), func() {
			_ = systemd.Stopping()
			again := make(chan os.Signal, 1)
			ossignal.Notify(again, os.Interrupt, syscall.SIGTERM)
			a.finishCalls(again)
			ossignal.Stop(again)
			stop()
		})
		if allowed, err := systemd.Watchdog(); err != nil {
			log.Warn("the watchdog is not fed", "error", err)
		} else if allowed > 0 {
			go feedWatchdog(serving, allowed, a.selfProbe(), a.state, log.Logger)
		}
		err = a.serve(serving)
		log.Info("stopped")
		return err
	}
	return c
}

// findPublicAddress asks for the public address where the configuration says so.
func findPublicAddress(ctx context.Context, r *config.Relay) (err error) {
	if r.PublicAddressFrom == "" {
		return nil
	}
	if r.PublicAddress, err = probe.PublicAddress(ctx, r.PublicAddressFrom); err != nil {
		return fmt.Errorf("relay.public_address_from: %w: name another one, or set relay.public_address", err)
	}
	if !config.Public(r.PublicAddress) {
		return fmt.Errorf("relay.public_address_from: the STUN server %s says %s, which is no address that clients could reach: name another one, or set relay.public_address",
			r.PublicAddressFrom, r.PublicAddress)
	}
	return nil
}

// checkName warns when clients are sent elsewhere. That is no reason not to serve:
// the DNS may be late, or the view from inside another one.
func checkName(ctx context.Context, c config.Config, log *slog.Logger) {
	if err := leadsHere(ctx, c); err != nil && ctx.Err() == nil {
		log.Warn("clients may not arrive", "name", err)
	}
}

// leadsHere tells whether the name resolves to this host. It gives up after ten seconds.
func leadsHere(ctx context.Context, c config.Config) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	reached, err := relay.HostAddresses()
	if err != nil {
		return err
	}
	return probe.CheckName(ctx, net.DefaultResolver, c.Name, append(reached, c.Relay.PublicAddress))
}

// watchPorts warns once when the open relay's ports run out, and again after they were free.
func (a *appliance) watchPorts(ctx context.Context, log *slog.Logger) {
	ticker := time.NewTicker(10 * time.Second)
	defer ticker.Stop()
	for warned := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		free, all := a.relay.Ports()
		scarce := 10*free < all
		if scarce && !warned {
			log.Warn("relayed ports run out: widen relay.ports", "free", free, "of", all)
		}
		warned = scarce
	}
}
