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
		Short: "Print the ICE servers for a code, for other TURN clients",
		Long: "Join with a code as the page would, print the STUN/TURN addresses and the credential\n" +
			"that the appliance gives out, and leave. Anyone who has the seat at that moment sees\n" +
			"that it was used elsewhere. A patient's seat waits up to a minute for the doctor to let\n" +
			"it in. If the code is given as -, it is read from standard input and does not appear\n" +
			"in process lists.",
		Example: `  praxisrelay ice KTRW-BZMF-QHDF --server https://relay.example.org`,
		Args:    cobra.ExactArgs(1),
	}
	c.Flags().StringVar(&server, "server", "", "the appliance's `URL`")
	c.Flags().StringVar(&ca, "ca", "", "trust the certificates in this PEM `file` instead of the system's")
	c.Flags().BoolVar(&insecure, "insecure", false, "trust any certificate: only for the demo")
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
		session, err := client.Dialer{HTTP: trust,
			Server: appliance.Scheme + "://" + appliance.Host}.Join(ctx, typed)
		if err != nil {
			return err
		}
		defer session.Close()
		ice, err := session.WaitICE(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			return errors.New("the seat is waiting to be let in: the doctor does that on the page")
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
			fmt.Fprintf(out, "username\t%s\ncredential\t%s\n", terminal.Printable(server.Username),
				terminal.Printable(server.Credential))
		}
		fmt.Fprintf(out, "expires\t%s\n", ice.Expires.Format(time.RFC3339))
		return out.Flush()
	}
	return c
}
