package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/invitation"
)

// createFlags are the flags of code create.
type createFlags struct {
	start, zone, from string
	ref               string
	count             int
	list              bool // a list was asked for, even if it holds one appointment
	asJSON, qr        bool
	invite, out       string
	formats           []string
	test              bool
	minutes           int
}

func codeCreateCommand(socket *string) *cobra.Command {
	var f createFlags
	c := &cobra.Command{
		Use:   "create {--start TIME [--count N] | --from FILE | --test}",
		Short: "Make appointments and print their codes, once",
		Long: "Make an appointment and print its codes. They are valid for 24 hours from the\n" +
			"start. The codes are made here and the daemon never learns them: what is printed\n" +
			"cannot be printed again.\n\n" +
			"--invite prints a text to copy for each seat; --out writes each seat's text,\n" +
			"calendar entry, QR code and page to print into a folder.\n\n" +
			"--count and --from make several and print CSV. The list has the columns start and,\n" +
			"optionally, ref: a short reference of your own that says nothing about a patient.\n\n" +
			"--test makes a code to check a network with, using praxisrelay check. The code opens\n" +
			"no consultation, and is valid for a few minutes.",
		Example: `  praxisrelay code create --start "2026-12-01 10:00" --invite de
  praxisrelay code create --start "2026-12-01 10:00" --out invitations --format html,ics
  praxisrelay code create --from day.csv > codes.csv
  praxisrelay code create --start now --json
  praxisrelay code create --test --minutes 60`,
		Args: cobra.NoArgs,
	}
	c.Flags().StringVar(&f.start, "start", "",
		`when the appointment opens: "2026-12-01 10:00", an RFC 3339 time, or now`)
	c.Flags().StringVar(&f.zone, "zone", appointment.DefaultZone,
		"the time `zone` of --start and of the times shown")
	c.Flags().IntVar(&f.count, "count", 1, "make `N` appointments with the same start")
	c.Flags().StringVar(&f.from, "from", "",
		"make the appointments listed in a CSV `file`; - reads standard input")
	c.Flags().StringVar(&f.ref, "ref", "",
		"your own `name` for it: at most 64 of A-Z a-z 0-9 . _ -, and nothing about a person")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print JSON, one appointment per line")
	c.Flags().StringVar(&f.invite, "invite", "", "print invitations in this `language`: de or en")
	c.Flags().BoolVar(&f.qr, "qr", false, "print each link as a QR code for a terminal")
	c.Flags().StringVar(&f.out, "out", "",
		"write invitations into this `folder`, in German unless --invite says otherwise")
	c.Flags().StringSliceVar(&f.formats, "format", invitation.Formats, "what --out writes")
	c.Flags().BoolVar(&f.test, "test", false, "make a code to check a network with")
	c.Flags().IntVar(&f.minutes, "minutes", int(appointment.TestLength.Minutes()),
		"how many minutes a --test code is valid")
	c.MarkFlagsOneRequired("start", "from", "test")
	c.MarkFlagsMutuallyExclusive("start", "from", "test")
	for _, other := range []string{"count", "ref", "invite", "qr", "out", "format"} {
		c.MarkFlagsMutuallyExclusive("test", other)
	}
	c.MarkFlagsMutuallyExclusive("count", "from")
	c.MarkFlagsMutuallyExclusive("ref", "from")
	c.RunE = func(c *cobra.Command, _ []string) error {
		f.list = c.Flags().Changed("count") || f.from != ""
		if c.Flags().Changed("format") && f.out == "" {
			return errors.New("--format is for files: say with --out where to write them")
		}
		switch {
		case f.test:
			return f.createTest(c, adminclient.New(*socket), time.Now())
		case c.Flags().Changed("minutes"):
			return errors.New("--minutes is for test codes: use it with --test")
		}
		return f.run(c, adminclient.New(*socket), time.Now())
	}
	return c
}

func (f *createFlags) run(c *cobra.Command, admin *adminclient.Client, now time.Time) error {
	list, err := f.rows(c.InOrStdin(), now)
	if err != nil {
		return err
	}
	p, err := f.printer(c.OutOrStdout(), c.ErrOrStderr(), list.Comma, now)
	if err != nil {
		return err
	}
	defer p.close()
	shown := &progress{of: len(list.Rows)}
	if f.list && f.out == "" { // with files, the notes about them show the progress
		shown = newProgress(c.OutOrStdout(), c.ErrOrStderr(), len(list.Rows))
	}
	var unprinted []int // indexes
	var nobodys []string
	missing, err := makeAll(len(list.Rows), stretchers(), func(i int) (adminclient.Created, error) {
		return create(c.Context(), admin, list.Rows[i])
	}, func(i int, made adminclient.Created) error {
		shown.step()
		if err := p.row(made, list.Rows[i].Ref); err != nil {
			unprinted, nobodys = append(unprinted, i), append(nobodys, made.ID)
			return err
		}
		return p.invitations(made)
	})
	shown.end()
	missing = slices.Sorted(slices.Values(append(missing, unprinted...)))
	if len(nobodys) > 0 {
		err = takeBack(c.Context(), err, nobodys, admin.Revoke, revokeCode)
	}
	switch {
	case err == nil || !f.list && len(missing) > 0:
		return err
	case len(missing) == 0:
		return fmt.Errorf("%w; the appointments are made, and their codes are printed", err)
	case f.from == "":
		return fmt.Errorf("%w; %d of %d are made and printed: make the rest with --count %d", err,
			f.count-len(missing), f.count, len(missing))
	}
	for i := range missing {
		missing[i] = list.Rows[missing[i]].Line
	}
	return fmt.Errorf("%w; %d of %d are made and printed: to make the rest, use a list of the "+
		"column names and the lines %s",
		err, len(list.Rows)-len(missing), len(list.Rows), ranges(missing))
}

// revokeCode is the command that revokes an appointment by hand.
const revokeCode = "praxisrelay code revoke"

// createTest makes a code to check a network with.
func (f *createFlags) createTest(c *cobra.Command, admin *adminclient.Client, now time.Time) error {
	if most := int(appointment.MaxTestLength.Minutes()); f.minutes < 1 || f.minutes > most {
		return fmt.Errorf("--minutes %d: use 1 to %d", f.minutes, most)
	}
	p, err := f.printer(c.OutOrStdout(), c.ErrOrStderr(), ',', now)
	if err != nil {
		return err
	}
	now = now.UTC().Truncate(time.Second)
	made, err := admin.CreateTest(c.Context(), now, now.Add(time.Duration(f.minutes)*time.Minute))
	if err != nil {
		return err
	}
	if err := p.row(made, ""); err != nil {
		return takeBack(c.Context(), err, []string{made.ID}, admin.Revoke, revokeCode)
	}
	if f.asJSON {
		return nil
	}
	url, _, _ := strings.Cut(made.Seats[0].Link, "#") // the code must not end up in a process list
	_, err = fmt.Fprintf(c.OutOrStdout(),
		"\nTo check a network from within: praxisrelay check %s (it asks for the code)\n", url)
	return err
}

func create(ctx context.Context, admin *adminclient.Client, row invitation.Row) (adminclient.Created, error) {
	return admin.Create(ctx, row.Opens, row.Opens.Add(appointment.Length), row.Ref)
}

// stretchers is how many appointments are made in parallel. Each already stretches its seats' codes
// in parallel, so together they occupy all cores.
func stretchers() int {
	seats := len(appointment.SeatNames)
	return (runtime.GOMAXPROCS(0) + seats - 1) / seats
}

// rows returns the appointments to make.
func (f *createFlags) rows(stdin io.Reader, now time.Time) (invitation.List, error) {
	if _, err := appointment.LoadZone(f.zone); err != nil {
		return invitation.List{}, err
	}
	if f.from != "" {
		return f.read(stdin, now)
	}
	if f.count < 1 || f.count > invitation.MaxRows {
		return invitation.List{}, fmt.Errorf("--count %d: use 1 to %d", f.count, invitation.MaxRows)
	}
	if err := appointment.CheckRef(f.ref); err != nil {
		return invitation.List{}, fmt.Errorf("--%w", err)
	}
	opens, err := appointment.ParseStart(f.start, f.zone, now)
	if err != nil {
		return invitation.List{}, err
	}
	list := invitation.List{Comma: ','}
	for range f.count {
		list.Rows = append(list.Rows, invitation.Row{Opens: opens, Ref: f.ref})
	}
	return list, nil
}

func (f *createFlags) read(stdin io.Reader, now time.Time) (invitation.List, error) {
	if f.from == "-" {
		return invitation.ReadList(stdin, f.zone, now)
	}
	file, err := os.Open(f.from)
	if err != nil {
		return invitation.List{}, fmt.Errorf("--from: %w", err)
	}
	defer file.Close()
	return invitation.ReadList(file, f.zone, now)
}
