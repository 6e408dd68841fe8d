package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"praxisrelay/config"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/client"
	"praxisrelay/signal/protocol"
)

func codeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "code",
		Short: "Make, list, reissue and revoke appointments and their codes, and back them up",
	}
	socket := c.PersistentFlags().String("socket", config.Default().Signal.AdminSocket, "the daemon's admin `socket`")
	c.AddCommand(codeCreateCommand(socket), codeListCommand(socket), codeRevokeCommand(socket),
		codeReissueCommand(socket), codeBackupCommand(socket))
	return c
}

// createdJSON is what code create --json prints.
type createdJSON struct {
	Appointment string        `json:"appointment"`
	Opens       time.Time     `json:"opens"`
	Closes      time.Time     `json:"closes"`
	Seats       []createdSeat `json:"seats"`
}

type createdSeat struct {
	Seat string `json:"seat"`
	Code string `json:"code"`
	Link string `json:"link"`
}

func codeCreateCommand(socket *string) *cobra.Command {
	var start, zone, ref string
	var asJSON bool
	c := &cobra.Command{
		Use:   "create --start TIME",
		Short: "Make an appointment and print its codes, once",
		Long: "Make an appointment and print its codes. They are valid for 24 hours from the\n" +
			"start. The codes are made here and the daemon never learns them: what is printed\n" +
			"cannot be printed again.",
		Example: `  praxisrelay code create --start "2026-12-01 10:00"
  praxisrelay code create --start now --json`,
		Args: cobra.NoArgs,
	}
	c.Flags().StringVar(&start, "start", "", `when it opens: "2026-12-01 10:00", an RFC 3339 time, or now`)
	c.Flags().StringVar(&zone, "zone", appointment.DefaultZone, "the time `zone` that start is in")
	c.Flags().StringVar(&ref, "ref", "", "your own `name` for it, 64 of A-Z a-z 0-9 . _ - at most; nothing that says something about a person")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	_ = c.MarkFlagRequired("start")
	c.RunE = func(c *cobra.Command, _ []string) error {
		opens, err := appointment.ParseStart(start, zone, time.Now())
		if err != nil {
			return err
		}
		created, err := client.NewAdmin(*socket).Create(c.Context(), opens, opens.Add(appointment.Length), ref)
		if err != nil {
			return err
		}
		if asJSON {
			out := createdJSON{Appointment: created.ID, Opens: created.Opens, Closes: created.Closes}
			for _, seat := range created.Seats {
				out.Seats = append(out.Seats, createdSeat{seat.Name, seat.Code.Format(), seat.Link})
			}
			return json.NewEncoder(c.OutOrStdout()).Encode(out)
		}
		where, err := time.LoadLocation(zone)
		if err != nil {
			where = time.UTC // start was an instant, so zone did not matter
		}
		w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 3, ' ', 0)
		fmt.Fprintf(w, "appointment\t%s\n", created.ID)
		fmt.Fprintf(w, "opens\t%s\n", forPeople(created.Opens, where))
		fmt.Fprintf(w, "closes\t%s\n\n", forPeople(created.Closes, where))
		for _, seat := range created.Seats {
			fmt.Fprintf(w, "%s\t%s\t%s\n", seat.Name, seat.Code.Format(), seat.Link)
		}
		return w.Flush()
	}
	return c
}

func codeListCommand(socket *string) *cobra.Command {
	var zone string
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List appointments; their codes are not known to the daemon",
		Args:  cobra.NoArgs,
	}
	c.Flags().StringVar(&zone, "zone", appointment.DefaultZone, "the time `zone` to show")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		where, err := time.LoadLocation(zone)
		if err != nil {
			return fmt.Errorf("zone %q is unknown: use a name like %s", zone, appointment.DefaultZone)
		}
		list, err := client.NewAdmin(*socket).List(c.Context())
		if err != nil {
			return err
		}
		if asJSON {
			return json.NewEncoder(c.OutOrStdout()).Encode(list)
		}
		now := time.Now()
		w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 3, ' ', 0)
		fmt.Fprintf(w, "APPOINTMENT\tREF\tOPENS\tCLOSES\tSTATE\t%s\n", strings.ToUpper(strings.Join(appointment.SeatNames, "\t")))
		for _, a := range list {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s", a.ID, a.Ref, forPeople(a.Opens, where), forPeople(a.Closes, where), stateOf(a, now))
			for _, seat := range a.Seats {
				fmt.Fprintf(w, "\t%s", seatState(seat))
			}
			fmt.Fprintln(w)
		}
		return w.Flush()
	}
	return c
}

func stateOf(a protocol.ListedAppointment, now time.Time) string {
	switch {
	case a.Revoked:
		return "revoked"
	case now.Before(a.Opens):
		return "to come"
	case !now.Before(a.Closes):
		return "over"
	}
	return "open"
}

func seatState(seat protocol.ListedSeat) string {
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
			if err := client.NewAdmin(*socket).Revoke(c.Context(), args[0]); err != nil {
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
