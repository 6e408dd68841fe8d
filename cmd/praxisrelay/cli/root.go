// Package cli holds praxisrelay's commands, one per file. The larger commands init and check have
// their own packages.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	ossignal "os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"praxisrelay/cmd/praxisrelay/appliance"
	"praxisrelay/cmd/praxisrelay/setup"
	"praxisrelay/cmd/praxisrelay/sitecheck"
	"praxisrelay/cmd/praxisrelay/terminal"
	"praxisrelay/systemd"
)

// exitMisconfigured is serve's exit status if only a change of the configuration helps: EX_CONFIG
// of sysexits.h, which systemctl status shows as CONFIG. The unit does not restart it then
// (RestartPreventExitStatus).
const exitMisconfigured = 78

// Main runs the command that the process's arguments name, prints its error, and returns the exit
// status. now is the clock of appointments and credentials, poll the interval at which the daemon
// looks at the certificate's files. An empty version is replaced by the one in Go's build
// information.
func Main(version string, now func() time.Time, poll time.Duration) int {
	// Both signals end the process in an orderly way; a second one ends it at once.
	ctx, stop := ossignal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	err := Command(version, now, poll).ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if code, said := errors.AsType[terminal.ExitCode](err); said {
		return int(code)
	}
	prefix := "praxisrelay: "
	if systemd.JournalReads() {
		prefix = "<3>" // the journal's priority of an error; it adds the program's name itself
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(os.Stderr, "%s%s\n", prefix, terminal.Printable(strings.TrimSuffix(line, "\n")))
	}
	if errors.As(err, new(appliance.Misconfiguration)) {
		return exitMisconfigured
	}
	return 1
}

// Command returns the command praxisrelay with all its subcommands.
func Command(version string, now func() time.Time, poll time.Duration) *cobra.Command {
	p := appliance.Process{Version: version, Now: now, CertificatePoll: poll}
	if version == "" {
		p.Version = builtVersion()
	}
	root := &cobra.Command{
		Use:           "praxisrelay",
		Short:         "Video consultations through restrictive firewalls",
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       p.Version,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w: see %s --help", err, c.CommandPath())
	})
	root.AddCommand(
		setup.Command(),
		serveCommand(p),
		statusCommand(),
		explainCommand(),
		reloadCommand(),
		drainCommand(),
		configCommand(),
		demoCommand(p),
		codeCommand(),
		tokenCommand(),
		iceCommand(),
		credentialCommand(),
		firewallCommand(),
		sitecheck.Command(),
	)
	return root
}

// builtVersion is the tag that was built. Between two tags it is Go's pseudo-version, which sorts
// between them.
func builtVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
