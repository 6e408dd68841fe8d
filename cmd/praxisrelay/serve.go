package main

import (
	"context"
	"os"
	ossignal "os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"praxisrelay/cmd/praxisrelay/logs"
	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/relay/certificate"
	"praxisrelay/systemd"
)

// certificatePoll is how often the certificate's files are looked at; tests hurry.
var certificatePoll = certificate.PollInterval

func serveCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "serve --config FILE",
		Short: "Run the appliance",
		Long: "Run the appliance until SIGTERM, which waits for running consultations as long as\n" +
			"drain_timeout says. SIGHUP reloads.\n\n" +
			"Exit status: 0 after a stop; 78 where only another configuration, secret or\n" +
			"certificate helps, so that a service manager need not try again; 1 otherwise.",
		Args: cobra.NoArgs,
	}
	c.Flags().StringVar(&file, "config", "/etc/praxisrelay/praxisrelay.yaml", "the configuration `file`")
	c.RunE = func(c *cobra.Command, _ []string) error {
		outliveReaders()
		hangup := make(chan os.Signal, 1)
		ossignal.Notify(hangup, syscall.SIGHUP) // now: one that comes sooner ends the process
		settings, held, err := secrets.Load(file, secrets.FromCredentials, time.Now())
		if err != nil {
			return misconfigured(err)
		}
		log := logs.New(c.ErrOrStderr(), settings.Log.Level, settings.Log.Addresses, time.Now)
		defer log.Close()
		go log.Run(c.Context())
		configured := settings
		if err := findPublicAddress(c.Context(), &settings.Relay); err != nil {
			return err
		}
		sockets := systemd.Inherit()
		a, err := listen(c.Context(), settings, held, sockets, log)
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
		go a.watchPorts(c.Context())
		go a.watchLimits(c.Context())
		go a.pair.Report(c.Context())
		go a.synthetic.Run(c.Context())
		if a.acme != nil {
			go a.acme.Run(c.Context())
		} else {
			go a.pair.Watch(c.Context(), certificatePoll, func() ([]byte, []byte, error) { return secrets.ReadPair(a.inEffect(), a.newest) })
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

// outliveReaders keeps a line that nobody reads any more, on standard output or standard
// error, from ending the process: a command in a pipe should end then, calls should not.
// Go ends it even where SIGPIPE was ignored at the start.
func outliveReaders() { ossignal.Ignore(syscall.SIGPIPE) }
