// Package cli holds the commands of praxisrelay, one a file; init and check have packages of
// their own.
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

// exitMisconfigured is the exit status of serve where only another configuration helps:
// EX_CONFIG of sysexits.h, which systemctl status shows as CONFIG. The unit does not
// start it again then (RestartPreventExitStatus).
const exitMisconfigured = 78

// Main runs the command that the process's arguments name, prints its error, and returns the
// exit status. now is the time of appointments and credentials, poll how often the daemon looks
// at the certificate's files. Without a version it is the one that Go knows of the build.
func Main(version string, now func() time.Time, poll time.Duration) int {
	// Both signals end the process in good order; a second one ends it at once.
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
		prefix = "<3>" // an error; the journal knows of whom
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(os.Stderr, "%s%s\n", prefix, terminal.Printable(strings.TrimSuffix(line, "\n")))
	}
	if errors.As(err, new(appliance.Misconfiguration)) {
		return exitMisconfigured
	}
	return 1
}

// Command returns praxisrelay with all its commands.
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
		return fmt.Errorf("%w: %s --help lists what there is", err, c.CommandPath())
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

// builtVersion is the tag that was built or, between two, what Go calls a pseudo-version,
// which sorts between them.
func builtVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
