package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/cmd/praxisrelay/sitecheck"
	"praxisrelay/cmd/praxisrelay/terminal"
	"praxisrelay/signal/client"
	"praxisrelay/signal/code"
	"praxisrelay/signal/protocol"
)

// iceJSON is what ice --json prints.
type iceJSON struct {
	ICEServers []protocol.ICEServer `json:"ice_servers"`
	Expires    time.Time            `json:"expires"`
}

func iceCommand() *cobra.Command {
	var server, ca string
	var insecure, asJSON bool
	c := &cobra.Command{
		Use:   "ice CODE --server URL",
		Short: "Print the ICE servers that a code leads to, for other TURN clients",
		Long: "Join with a code as the page would, print the STUN/TURN addresses and the\n" +
			"credential that the appliance gives out, and leave. Whoever has the seat at that\n" +
			"moment is told that it was used elsewhere. A patient's seat waits for a minute\n" +
			"until the doctor lets it in. The code is read from standard input when it is\n" +
			"given as -, and is then in no process list.",
		Example: `  praxisrelay ice KTRW-BZMF-QHDF --server https://relay.example.org`,
		Args:    cobra.ExactArgs(1),
	}
	c.Flags().StringVar(&server, "server", "", "the appliance's `URL`")
	c.Flags().StringVar(&ca, "ca", "", "trust the certificates in this PEM `file` instead of the system's")
	c.Flags().BoolVar(&insecure, "insecure", false, "trust any certificate: for the demo alone")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	_ = c.MarkFlagRequired("server")
	c.RunE = func(c *cobra.Command, args []string) error {
		text := args[0]
		if text == "-" {
			lines := bufio.NewScanner(c.InOrStdin())
			lines.Scan()
			text = lines.Text()
		}
		typed, err := code.Parse(text)
		if err != nil {
			return err
		}
		appliance, _, err := sitecheck.ParseAppliance(server)
		if err != nil {
			return err
		}
		trust, err := secrets.Trusting(ca, insecure)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
		defer cancel()
		session, err := client.Dialer{HTTP: trust, Server: appliance.Scheme + "://" + appliance.Host}.Join(ctx, typed)
		if err != nil {
			return err
		}
		defer session.Close()
		ice, err := session.WaitICE(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			return errors.New("the seat waits to be let in: the doctor does that on the page")
		}
		if err != nil {
			return err
		}
		if asJSON {
			return json.NewEncoder(c.OutOrStdout()).Encode(iceJSON{ice.Servers, ice.Expires})
		}
		out := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 3, ' ', 0)
		for _, server := range ice.Servers {
			for _, url := range server.URLs {
				fmt.Fprintf(out, "url\t%s\n", terminal.Printable(url))
			}
			fmt.Fprintf(out, "username\t%s\ncredential\t%s\n", terminal.Printable(server.Username), terminal.Printable(server.Credential))
		}
		fmt.Fprintf(out, "expires\t%s\n", ice.Expires.Format(time.RFC3339))
		return out.Flush()
	}
	return c
}
