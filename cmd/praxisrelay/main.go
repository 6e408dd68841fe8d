// Command praxisrelay lets video consultations work through restrictive firewalls:
// a STUN/TURN relay, the appointment codes that open it, and a minimal signaling
// endpoint, in one program.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	ossignal "os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // a server without zone files must still know when an appointment opens

	"github.com/spf13/cobra"

	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/cmd/praxisrelay/setup"
	"praxisrelay/cmd/praxisrelay/sitecheck"
	"praxisrelay/cmd/praxisrelay/terminal"
	"praxisrelay/systemd"
)

func main() {
	// Both signals end the process in good order; a second one ends it at once.
	ctx, stop := ossignal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if err := rootCommand().ExecuteContext(ctx); err != nil {
		if code, said := errors.AsType[terminal.ExitCode](err); said {
			os.Exit(int(code))
		}
		prefix := "praxisrelay: "
		if systemd.JournalReads() {
			prefix = "<3>" // an error; the journal knows of whom
		}
		for line := range strings.Lines(err.Error()) {
			fmt.Fprintf(os.Stderr, "%s%s\n", prefix, terminal.Printable(strings.TrimSuffix(line, "\n")))
		}
		if errors.As(err, new(misconfiguration)) {
			os.Exit(exitMisconfigured)
		}
		os.Exit(1)
	}
}

// exitMisconfigured is the exit status of serve where only another configuration helps:
// EX_CONFIG of sysexits.h, which systemctl status shows as CONFIG. The unit does not
// start it again then (RestartPreventExitStatus).
const exitMisconfigured = 78

// misconfiguration is an error of that kind.
type misconfiguration struct{ error }

func (m misconfiguration) Unwrap() error { return m.error }

// misconfigured marks what secrets.Load returned, unless time may heal it: a host without a
// clock of its own often learns the date only after the start.
func misconfigured(err error) error {
	if errors.As(err, new(secrets.Untimely)) {
		return err
	}
	return misconfiguration{err}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "praxisrelay",
		Short:         "Video consultations through restrictive firewalls",
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       programVersion(),
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w: %s --help lists what there is", err, c.CommandPath())
	})
	root.AddCommand(
		setup.Command(),
		serveCommand(),
		statusCommand(),
		explainCommand(),
		reloadCommand(),
		drainCommand(),
		configCommand(),
		demoCommand(),
		codeCommand(),
		tokenCommand(),
		iceCommand(),
		credentialCommand(),
		firewallCommand(),
		sitecheck.Command(),
	)
	return root
}
