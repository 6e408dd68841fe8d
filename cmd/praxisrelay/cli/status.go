package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"praxisrelay/cmd/praxisrelay/terminal"
	"praxisrelay/config"
	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/admin/api"
)

// statusTime limits how long the daemon may take to answer, because monitoring does not wait
// longer.
const statusTime = 8 * time.Second

func statusCommand() *cobra.Command {
	var socket string
	var asJSON, check bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show what the daemon is doing, and whether it is well",
		Long: "Show the running daemon's calls, limits, certificates, listeners and latest problems.\n" +
			"No client and no appointment is named.\n\n" +
			"With --check it is a plugin for Checkmk, Icinga and Nagios: one line with performance\n" +
			"data, and the exit code 0 (OK), 1 (WARNING), 2 (CRITICAL) or 3 (UNKNOWN).",
		Args: cobra.NoArgs,
	}
	c.Flags().StringVar(&socket, "socket", config.Default().Signal.AdminSocket, "the daemon's admin `socket`")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().BoolVar(&check, "check", false, "print one line for monitoring, and exit with 0 to 3")
	c.MarkFlagsMutuallyExclusive("json", "check")
	c.RunE = func(c *cobra.Command, _ []string) error {
		ctx, cancel := context.WithTimeout(c.Context(), statusTime)
		defer cancel()
		s, err := adminclient.New(socket).Status(ctx)
		out := c.OutOrStdout()
		if check {
			found := checkStatus(s, err, time.Now())
			fmt.Fprintln(out, terminal.Printable(found.String()))
			if found.level > checkOK {
				return terminal.ExitCode(found.level)
			}
			return nil
		}
		if err != nil {
			return err
		}
		if asJSON {
			return json.NewEncoder(out).Encode(s)
		}
		return printStatus(out, s, time.Now())
	}
	return c
}

// printStatus prints a status for a person, in the local zone.
func printStatus(to io.Writer, s api.Status, now time.Time) error {
	w := tabwriter.NewWriter(to, 0, 0, 3, ' ', 0)
	row := func(cells ...any) {
		for i, cell := range cells {
			if i > 0 {
				fmt.Fprint(w, "\t")
			}
			fmt.Fprint(w, terminal.Printable(fmt.Sprint(cell)))
		}
		fmt.Fprintln(w)
	}
	moment := func(t time.Time) string { return t.In(now.Location()).Format("2006-01-02 15:04") }

	row("version", s.Version)
	row("since", fmt.Sprintf("%s, for %s", moment(s.Since), span(now.Sub(s.Since))))
	switch {
	case len(s.NotReady) > 0:
		row("ready", "no: "+strings.Join(s.NotReady, "; "))
	default:
		row("ready", "yes")
	}
	for _, warning := range s.Warnings {
		row("warning", warning)
	}
	if s.Draining {
		row("draining", "yes: no new calls are taken")
	}
	row("calls", s.Calls)
	row("sessions", s.Sessions)
	row("allocations", fmt.Sprintf("%d UDP, %d TCP, %d TLS", s.Allocations.UDP, s.Allocations.TCP,
		s.Allocations.TLS))
	counts := s.Appointments
	appointments := fmt.Sprintf("%d open, %d upcoming, %d over, %d revoked", counts.Open,
		counts.Upcoming, counts.Over, counts.Revoked)
	if !counts.Next.IsZero() {
		appointments += "; the next opens " + moment(counts.Next)
	}
	row("appointments", appointments)
	switch {
	case s.Reload == nil:
		row("last reload", "none")
	case s.Reload.Error != "":
		row("last reload", fmt.Sprintf("%s, failed: %s", moment(s.Reload.At),
			strings.ReplaceAll(s.Reload.Error, "\n", "; ")))
	default:
		row("last reload", moment(s.Reload.At))
	}

	row()
	row("LIMIT", "USED", "OF")
	for _, limit := range s.Limits {
		row(limit.Name, limit.Used, limit.Most)
	}
	row()
	row("CERTIFICATE", "ENDS", "LEFT", "ISSUER", "SHA-256 OF ITS KEY")
	for _, certificate := range s.Certificates {
		row(strings.Join(certificate.Names, ", "), moment(certificate.Ends),
			span(certificate.Ends.Sub(now)), certificate.Issuer, certificate.Key)
	}
	for _, certificate := range s.Certificates {
		for _, problem := range certificate.Problems {
			row("not accepted by all: " + problem)
		}
	}
	row()
	row("LISTENER", "TRANSPORT", "ADDRESS")
	for _, listener := range s.Listeners {
		address := listener.Address
		if listener.Inherited {
			address += " (of the service manager)"
		}
		row(listener.Name, listener.Transport, address)
	}
	if len(s.Synthetic) > 0 {
		row()
		row("SYNTHETIC CALL", "FAMILY", "AT", "RESULT")
	}
	for _, call := range s.Synthetic {
		result := fmt.Sprintf("arrived, %.1f ms", call.RTT)
		if call.Error != "" {
			result = "failed: " + call.Error
		}
		row(fmt.Sprintf("%d/%s", call.Port, call.Transport), call.Family, moment(call.At), result)
	}
	row()
	if len(s.Problems) == 0 {
		row("no problems were logged")
		return w.Flush()
	}
	row("LAST PROBLEM", "LEVEL", "TIMES", "WHAT")
	for _, problem := range s.Problems {
		row(moment(problem.Last), problem.Level, problem.Count,
			strings.TrimSpace(problem.Message+" "+problem.Details))
	}
	return w.Flush()
}

// span writes a duration as people would: "64 days", "3h20m" or "40s".
func span(d time.Duration) string {
	switch {
	case d < 0:
		return "over"
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", d/oneDay)
	case d < time.Minute:
		return d.Truncate(time.Second).String()
	}
	return strings.TrimSuffix(d.Truncate(time.Minute).String(), "0s")
}
