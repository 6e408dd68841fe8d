package appliance

import (
	"context"
	"errors"
	"io"
	"os"
	ossignal "os/signal"
	"syscall"
	"time"

	"praxisrelay/cmd/praxisrelay/logs"
	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/systemd"
)

// Misconfiguration is an error that only another configuration, or another of the files
// that it names, mends.
type Misconfiguration struct{ error }

// Unwrap returns what is wrong.
func (m Misconfiguration) Unwrap() error { return m.error }

// misconfigured marks what secrets.Load returned, unless time may heal it: a host without a
// clock of its own often learns the date only after the start.
func misconfigured(err error) error {
	if errors.As(err, new(secrets.Untimely)) {
		return err
	}
	return Misconfiguration{err}
}

// Process is what the daemon takes from the program that it is in.
type Process struct {
	Version         string
	Now             func() time.Time // of appointments and credentials
	CertificatePoll time.Duration    // how often the certificate's files are looked at
	Log             io.Writer
}

// Run is the daemon: it serves what a configuration file says until ctx is done and, as
// drain_timeout has it, the calls are over. SIGHUP reloads; the service manager is told how
// it goes. The error is a [Misconfiguration] where starting it again would be no use.
func Run(ctx context.Context, file string, p Process) error {
	hangup := make(chan os.Signal, 1)
	ossignal.Notify(hangup, syscall.SIGHUP) // now: one that comes sooner ends the process
	settings, held, err := secrets.Load(file, secrets.FromCredentials, time.Now())
	if err != nil {
		return misconfigured(err)
	}
	log := logs.New(p.Log, settings.Log.Level, settings.Log.Addresses, time.Now)
	defer log.Close()
	go log.Run(ctx)
	sockets := systemd.Inherit()
	a, err := Listen(ctx, Options{Config: settings, Secrets: held, Sockets: sockets, Version: p.Version, Now: p.Now, Log: log})
	for _, name := range sockets.CloseUnused() {
		log.Warn("no listener of the configuration wants this socket of the service manager", "socket", name)
	}
	if err != nil {
		return err
	}
	log.Info("serving", a.where()...)
	go a.reloadOn(ctx, hangup, file)
	a.watch(ctx, p.CertificatePoll)
	if err := systemd.Ready(); err != nil {
		log.Warn("the service manager cannot be told", "error", err)
	}
	_ = systemd.Status(a.state())
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	context.AfterFunc(ctx, func() {
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
	err = a.Serve(serving)
	log.Info("stopped")
	return err
}

// where is what the log says of the listeners.
func (a *Appliance) where() []any {
	where := []any{"url", a.url, "turn_udp", a.addresses.UDP, "turn_tcp", a.addresses.TCP, "turn_tls", a.addresses.TLS, "version", a.version}
	if http := a.addresses.HTTP; http.IsValid() {
		where = append(where, "http", http)
	}
	if a.monitoring != nil {
		where = append(where, "metrics", a.monitoring.Addr())
	}
	if a.api != nil {
		where = append(where, "admin", a.api.Addr())
	}
	return where
}

// watch looks after what changes by itself until ctx is done: ports and limits that run
// out, the certificate, and whether clients arrive.
func (a *Appliance) watch(ctx context.Context, poll time.Duration) {
	go a.checkName(ctx)
	go a.watchPorts(ctx)
	go a.watchLimits(ctx)
	go a.pair.Report(ctx)
	go a.synthetic.Run(ctx)
	if a.acme != nil {
		go a.acme.Run(ctx)
		return
	}
	go a.pair.Watch(ctx, poll, func() ([]byte, []byte, error) { return secrets.ReadPair(a.inEffect(), a.newest) })
}
