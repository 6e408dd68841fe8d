package cli

import (
	"github.com/spf13/cobra"

	"praxisrelay/cmd/praxisrelay/appliance"
)

func serveCommand(p appliance.Process) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "serve --config FILE",
		Short: "Run the appliance",
		Long: "Run the appliance until SIGTERM, which waits for running consultations for up to\n" +
			"drain_timeout. SIGHUP reloads.\n\n" +
			"Exit status: 0 after a stop; 78 if only a change of the configuration, a secret or the\n" +
			"certificate helps, so that a service manager need not try again; 1 otherwise.",
		Args: cobra.NoArgs,
	}
	c.Flags().StringVar(&file, "config", "/etc/praxisrelay/praxisrelay.yaml", "the configuration `file`")
	c.RunE = func(c *cobra.Command, _ []string) error {
		outliveReaders()
		p.Log = c.ErrOrStderr()
		return appliance.Run(c.Context(), file, p)
	}
	return c
}
