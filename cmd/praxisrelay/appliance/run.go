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

// Misconfiguration is an error that only a change of the configuration, or of a file that it names,
// can fix.
type Misconfiguration struct{ error }

// Unwrap returns the mistake itself.
func (m Misconfiguration) Unwrap() error { return m.error }

// misconfigured marks an error of secrets.Load, unless time may fix it: a host without a hardware
// clock often learns the date only after the start.
func misconfigured(err error) error {
	if errors.As(err, new(secrets.Untimely)) {
		return err
	}
	return Misconfiguration{err}
}

// Process holds what the daemon needs from the program that runs it.
type Process struct {
	Version         string
	Now             func() time.Time // the clock of appointments and credentials
	CertificatePoll time.Duration    // the interval between looks at the certificate's files
	Log             io.Writer
}

// Run is the daemon. It serves what a configuration file says until ctx is done and the calls are
// over, or drain_timeout is. SIGHUP reloads. It keeps the service manager informed. The error is a
// [Misconfiguration] if another start would fail too.
func Run(ctx context.Context, file string, p Process) error {
	hangup := make(chan os.Signal, 1)
	ossignal.Notify(hangup, syscall.SIGHUP) // first of all: an earlier SIGHUP ends the process
	settings, held, err := secrets.Load(file, secrets.FromCredentials, time.Now())
	if err != nil {
		return misconfigured(err)
	}
	log := logs.New(p.Log, settings.Log.Level, settings.Log.Addresses, time.Now)
	defer log.Close()
	go log.Run(ctx)
	sockets := systemd.Inherit()
	a, err := Listen(ctx, Options{Config: settings, Secrets: held, Sockets: sockets, Version: p.Version,
		Now: p.Now, Log: log})
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

// where describes the listeners in the log.
func (a *Appliance) where() []any {
	where := []any{"url", a.url, "turn_udp", a.addresses.UDP, "turn_tcp", a.addresses.TCP, "turn_tls",
		a.addresses.TLS, "version", a.version}
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

// watch starts what runs in the background until ctx is done: it watches ports, limits and the
// certificate, and checks whether clients arrive.
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
	go a.pair.Watch(ctx, poll, func() ([]byte, []byte, error) {
		return secrets.ReadPair(a.inEffect(), a.newest)
	})
}
