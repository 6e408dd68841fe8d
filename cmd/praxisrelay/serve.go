package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"praxisrelay/config"
	"praxisrelay/systemd"
)

func serveCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "serve --config FILE",
		Short: "Run the appliance",
		Args:  cobra.NoArgs,
	}
	c.Flags().StringVar(&file, "config", "/etc/praxisrelay/praxisrelay.yaml", "the configuration `file`")
	c.RunE = func(c *cobra.Command, _ []string) error {
		settings, err := config.Load(file)
		if err != nil {
			return err
		}
		secrets, err := readSecrets(settings, time.Now())
		if err != nil {
			return err
		}
		log := slog.New(slog.NewTextHandler(c.ErrOrStderr(), nil))
		a, err := listen(c.Context(), settings, secrets, log)
		if err != nil {
			return err
		}
		log.Info("serving", "url", a.url, "turn_udp", a.addresses.UDP, "turn_tcp", a.addresses.TCP, "turn_tls", a.addresses.TLS)
		if err := systemd.Ready(); err != nil {
			log.Warn("the service manager cannot be told", "error", err)
		}
		context.AfterFunc(c.Context(), func() { _ = systemd.Stopping() })
		err = a.serve(c.Context())
		log.Info("stopped")
		return err
	}
	return c
}
