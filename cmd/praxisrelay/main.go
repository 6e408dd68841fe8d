// Command praxisrelay lets video consultations work through restrictive firewalls:
// a STUN/TURN relay, the appointment codes that open it, and a minimal signaling
// endpoint, in one program.
package main

import (
	"context"
	"fmt"
	"os"
	ossignal "os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // a server without zone files must still know when an appointment opens

	"github.com/spf13/cobra"
)

func main() {
	// Both signals end the process in good order; a second one ends it at once.
	ctx, stop := ossignal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if err := rootCommand().ExecuteContext(ctx); err != nil {
		for line := range strings.Lines(err.Error()) {
			fmt.Fprintf(os.Stderr, "praxisrelay: %s\n", strings.TrimSuffix(line, "\n"))
		}
		os.Exit(1)
	}
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
	root.AddCommand(initCommand(), serveCommand(), configCommand(), demoCommand(), codeCommand(), tokenCommand(), iceCommand(), firewallCommand())
	return root
}
