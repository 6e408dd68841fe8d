package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"praxisrelay/cmd/praxisrelay/terminal"
	"praxisrelay/config"
	"praxisrelay/config/lang"
	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/explain"
)

func explainCommand() *cobra.Command {
	var socket, language string
	var asJSON bool
	c := &cobra.Command{
		Use:   "explain APPOINTMENT",
		Short: "Say why a consultation does not connect",
		Long: "Report the likeliest cause why a consultation does not connect, whose side it is on,\n" +
			"and what happened. APPOINTMENT is the id that code list shows, or a ref.\n\n" +
			"The daemon keeps this only in memory, without addresses unless log.addresses is\n" +
			"prefix or full, until the appointment is deleted or the daemon is restarted.",
		Example: "  praxisrelay explain jnrgqgsnkz2ja\n  praxisrelay explain 2026-0815 --lang de",
		Args:    cobra.ExactArgs(1),
	}
	c.Flags().StringVar(&socket, "socket", config.Default().Signal.AdminSocket, "the daemon's admin `socket`")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().StringVar(&language, "lang", string(lang.English), "the `language`: de or en")
	c.RunE = func(c *cobra.Command, args []string) error {
		l, err := lang.Parse(language)
		if err != nil {
			return fmt.Errorf("--lang: %w", err)
		}
		told, err := explainNamed(c.Context(), adminclient.New(socket), args[0])
		if err != nil {
			return err
		}
		if asJSON {
			return json.NewEncoder(c.OutOrStdout()).Encode(told)
		}
		return printExplanation(c.OutOrStdout(), told, l)
	}
	return c
}

// explainNamed asks about the appointment with an id or, if there is none, with a ref.
func explainNamed(ctx context.Context, admin *adminclient.Client,
	name string) (api.ExplainedAppointment, error) {
	told, err := admin.Explain(ctx, name)
	if problem, ok := errors.AsType[api.Problem](err); !ok || problem.Status != http.StatusNotFound {
		return told, err
	}
	list, listErr := admin.List(ctx)
	if listErr != nil {
		return told, listErr
	}
	var ids []string
	for _, a := range list {
		if a.Ref == name {
			ids = append(ids, a.ID)
		}
	}
	switch len(ids) {
	case 0:
		return told, err
	case 1:
		return admin.Explain(ctx, ids[0])
	}
	return told, fmt.Errorf("%d appointments have the ref %s: use one of the ids %v", len(ids), name, ids)
}

// printExplanation prints an explanation for a person, in the practices' zone.
func printExplanation(to io.Writer, told api.ExplainedAppointment, l lang.Language) error {
	where, err := appointment.LoadZone(appointment.DefaultZone)
	if err != nil {
		return err
	}
	const minutes = "2006-01-02 15:04"
	words := explainWords[l]
	fmt.Fprintln(to, told.Text[string(l)])
	fmt.Fprintln(to)
	w := tabwriter.NewWriter(to, 0, 0, 3, ' ', 0)
	row := func(cells ...string) {
		for i, cell := range cells {
			if i > 0 {
				fmt.Fprint(w, "\t")
			}
			fmt.Fprint(w, terminal.Printable(cell))
		}
		fmt.Fprintln(w)
	}
	name := told.ID
	if told.Ref != "" {
		name += ", " + told.Ref
	}
	row(words.side, explain.SideName(l, explain.Side(told.Side)))
	row(words.cause, told.Cause)
	row(words.appointment, name)
	row(words.window, told.Opens.In(where).Format(minutes)+" - "+told.Closes.In(where).Format(minutes))
	row()
	if told.Forgotten > 0 {
		row(fmt.Sprintf("%d %s", told.Forgotten, words.forgotten))
	}
	for _, e := range told.Events {
		row(e.At.In(where).Format(minutes+":05"), explain.SeatName(l, e.Seat), explain.Line(l, e))
	}
	for _, s := range told.Sessions {
		row(words.now, explain.SeatName(l, s.Seat), explain.Session(l, s))
	}
	for _, a := range told.Allocations {
		row(words.now, explain.SeatName(l, a.Seat), explain.Allocation(l, a))
	}
	if len(told.Events) == 0 {
		row(words.nothing)
	}
	return w.Flush()
}

var explainWords = map[lang.Language]struct {
	side, cause, appointment, window, forgotten, now, nothing string
}{
	lang.English: {"side", "cause", "appointment", "window", "earlier events are forgotten", "now",
		"nothing is known"},
	lang.German: {"Seite", "Ursache", "Termin", "Zeitraum", "frühere Ereignisse sind vergessen",
		"jetzt", "nichts ist bekannt"},
}
