package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"praxisrelay/cmd/praxisrelay/terminal"
	"praxisrelay/config"
	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/admin/api"
)

func credentialCommand() *cobra.Command {
	var socket string
	var count int
	var asJSON bool
	c := &cobra.Command{
		Use:   "credential",
		Short: "Make TURN credentials for other TURN clients and load tools",
		Long: "Make TURN credentials for other TURN clients and load tools, and print them once:\n" +
			"for each of --count appointments one for a doctor and one for a patient, between whom\n" +
			"the relay forwards. They make allocations for at most an hour, belong to no code,\n" +
			"and can only be revoked by replacing the relay's secret.",
		Example: `  praxisrelay credential
  praxisrelay credential --count 100 --json > credentials.json`,
		Args: cobra.NoArgs,
	}
	c.Flags().StringVar(&socket, "socket", config.Default().Signal.AdminSocket, "the daemon's admin `socket`")
	c.Flags().IntVar(&count, "count", 1, "the number of `appointments`")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := checkCount(count); err != nil {
			return err
		}
		made, err := adminclient.New(socket).CreateCredentials(c.Context(), count)
		if err != nil {
			return err
		}
		if err := printCredentials(c.OutOrStdout(), made, asJSON); err != nil {
			return fmt.Errorf("not all credentials are printed: %w; make new ones; these expire at %s",
				err, made.Expires.Format(time.RFC3339))
		}
		return nil
	}
	return c
}

func checkCount(count int) error {
	if count < 1 || count > api.MaxCredentials {
		return fmt.Errorf("--count: %d is out of bounds: use 1 to %d", count, api.MaxCredentials)
	}
	return nil
}

func printCredentials(w io.Writer, made api.MadeCredentials, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(made)
	}
	out := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, url := range made.URLs {
		fmt.Fprintf(out, "url\t%s\n", terminal.Printable(url))
	}
	fmt.Fprintf(out, "expires\t%s\n", made.Expires.Format(time.RFC3339))
	for _, of := range made.Appointments {
		fmt.Fprintf(out, "doctor\t%s\t%s\n", terminal.Printable(of.Doctor.Username),
			terminal.Printable(of.Doctor.Credential))
		fmt.Fprintf(out, "patient\t%s\t%s\n", terminal.Printable(of.Patient.Username),
			terminal.Printable(of.Patient.Credential))
	}
	return out.Flush()
}
