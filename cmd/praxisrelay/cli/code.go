package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"praxisrelay/cmd/praxisrelay/terminal"
	"praxisrelay/config"
	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/appointment"
)

func codeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "code",
		Short: "Make, list, reissue and revoke appointments and their codes, and back them up",
	}
	socket := c.PersistentFlags().String("socket", config.Default().Signal.AdminSocket,
		"the daemon's admin `socket`")
	c.AddCommand(codeCreateCommand(socket), codeListCommand(socket), codeRevokeCommand(socket),
		codeReissueCommand(socket), codeBackupCommand(socket))
	return c
}

func codeListCommand(socket *string) *cobra.Command {
	var zone string
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List appointments, without their codes, which the daemon does not know",
		Args:  cobra.NoArgs,
	}
	c.Flags().StringVar(&zone, "zone", appointment.DefaultZone, "the time `zone` to show")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		where, err := appointment.LoadZone(zone)
		if err != nil {
			return err
		}
		list, err := adminclient.New(*socket).List(c.Context())
		if err != nil {
			return err
		}
		if asJSON {
			return json.NewEncoder(c.OutOrStdout()).Encode(list)
		}
		now := time.Now()
		w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 3, ' ', 0)
		fmt.Fprintf(w, "APPOINTMENT\tREF\tOPENS\tCLOSES\tSTATE\t%s\n",
			strings.ToUpper(strings.Join(appointment.SeatNames, "\t")))
		for _, a := range list {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s", a.ID, terminal.Printable(a.Ref),
				forPeople(a.Opens, where), forPeople(a.Closes, where), stateOf(a, now))
			for _, seat := range a.Seats {
				fmt.Fprintf(w, "\t%s", seatState(seat))
			}
			fmt.Fprintln(w)
		}
		return w.Flush()
	}
	return c
}

func stateOf(a api.ListedAppointment, now time.Time) string {
	if state := a.State(now); state != appointment.Upcoming {
		return string(state)
	}
	return "to come"
}

func seatState(seat api.ListedSeat) string {
	switch {
	case seat.Present:
		return "there now"
	case seat.Used:
		return "used"
	}
	return "not used"
}

func codeRevokeCommand(socket *string) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke APPOINTMENT",
		Short: "Make an appointment's codes invalid and end its consultation",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := adminclient.New(*socket).Revoke(c.Context(), args[0]); err != nil {
				return err
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "%s is revoked\n", args[0])
			return err
		},
	}
}

func forPeople(t time.Time, where *time.Location) string {
	return t.In(where).Format("Mon 2006-01-02 15:04 MST")
}
