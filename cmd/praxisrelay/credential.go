package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"praxisrelay/cmd/praxisrelay/terminal"
	"praxisrelay/config"
	"praxisrelay/signal"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/client"
	"praxisrelay/signal/protocol"
)

// spareLifetime bounds what belongs to no appointment, so nothing can revoke it.
const spareLifetime = time.Hour

func credentialCommand() *cobra.Command {
	var socket string
	var count int
	var asJSON bool
	c := &cobra.Command{
		Use:   "credential",
		Short: "Make TURN credentials for other TURN clients and load tools",
		Long: "Make TURN credentials for other TURN clients and load tools, and print them, once:\n" +
			"for each of --count appointments one of a doctor and one of a patient, between whom\n" +
			"the relay forwards. They make allocations for an hour at most, belong to no code,\n" +
			"and cannot be revoked but with the relay's secret.",
		Example: `  praxisrelay credential
  praxisrelay credential --count 100 --json > credentials.json`,
		Args: cobra.NoArgs,
	}
	c.Flags().StringVar(&socket, "socket", config.Default().Signal.AdminSocket, "the daemon's admin `socket`")
	c.Flags().IntVar(&count, "count", 1, "how many `appointments`")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := checkCount(count); err != nil {
			return err
		}
		made, err := client.NewAdmin(socket).CreateCredentials(c.Context(), count)
		if err != nil {
			return err
		}
		if err := printCredentials(c.OutOrStdout(), made, asJSON); err != nil {
			return fmt.Errorf("not all credentials are printed: %w; make others, these end at %s", err, made.Expires.Format(time.RFC3339))
		}
		return nil
	}
	return c
}

func checkCount(count int) error {
	if count < 1 || count > protocol.MaxCredentials {
		return fmt.Errorf("--count: %d is out of bounds: use 1 to %d", count, protocol.MaxCredentials)
	}
	return nil
}

func printCredentials(w io.Writer, made protocol.MadeCredentials, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(made)
	}
	out := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, url := range made.URLs {
		fmt.Fprintf(out, "url\t%s\n", terminal.Printable(url))
	}
	fmt.Fprintf(out, "expires\t%s\n", made.Expires.Format(time.RFC3339))
	for _, of := range made.Appointments {
		fmt.Fprintf(out, "doctor\t%s\t%s\n", terminal.Printable(of.Doctor.Username), terminal.Printable(of.Doctor.Credential))
		fmt.Fprintf(out, "patient\t%s\t%s\n", terminal.Printable(of.Patient.Username), terminal.Printable(of.Patient.Credential))
	}
	return out.Flush()
}

// serveCredentials makes credentials. The command does not make them itself: which
// secrets there are only the daemon knows, since the service manager and praxisrelay
// reload hand them over, and so it is with the addresses.
func (a *appliance) serveCredentials(w http.ResponseWriter, r *http.Request) {
	var wanted protocol.NewCredentials
	if err := readOperation(w, r, 1<<10, &wanted); err != nil || checkCount(wanted.Count) != nil {
		http.Error(w, "the body is not what praxisrelay credential sends", http.StatusBadRequest)
		return
	}
	made := protocol.MadeCredentials{URLs: a.urls, Appointments: make([]protocol.AppointmentCredentials, wanted.Count)}
	until := wallClock().Add(spareLifetime)
	for i := range made.Appointments {
		id, of := appointment.NewID(), &made.Appointments[i]
		for seat, into := range map[string]*protocol.TURNCredential{appointment.Doctor: &of.Doctor, appointment.Patient: &of.Patient} {
			c, err := a.mint(signal.Holder{Appointment: id, Seat: seat, Until: until})
			if err != nil {
				a.log.Error("no TURN credential can be made", "error", err)
				http.Error(w, "no TURN credential can be made", http.StatusInternalServerError)
				return
			}
			*into = protocol.TURNCredential{Username: c.Username, Credential: c.Password}
			made.Expires = c.Expires
		}
	}
	a.log.Info("TURN credentials were made", "by", "socket", "appointments", wanted.Count)
	answerOperation(w, made)
}
