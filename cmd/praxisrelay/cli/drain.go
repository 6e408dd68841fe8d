package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"praxisrelay/cmd/praxisrelay/appliance"
	"praxisrelay/cmd/praxisrelay/terminal"
	"praxisrelay/config"
	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/appointment"
)

func drainCommand() *cobra.Command {
	var socket, until string
	var cancel bool
	c := &cobra.Command{
		Use:   "drain [--until TIME|DURATION]",
		Short: "Let no new consultation begin, and wait until the running ones are over",
		Long: "Let no new consultation begin, and wait until the running ones are over, for example\n" +
			"before an update. People in a call may change networks and reload the page. Anyone else\n" +
			"who joins sees a note about maintenance, and the page retries by itself. The exit status\n" +
			"is 0 when no call is left, and 1 when --until comes first. The daemon keeps draining\n" +
			"until it is restarted, or until praxisrelay drain --cancel.",
		Example: `  praxisrelay drain --until 14:20 && systemctl restart praxisrelay`,
		Args:    cobra.NoArgs,
	}
	c.Flags().StringVar(&socket, "socket", config.Default().Signal.AdminSocket, "the daemon's admin `socket`")
	c.Flags().StringVar(&until, "until", "",
		"how long to wait, and the end shown to people who join: a `time` like 14:20, or a duration like 30m")
	c.Flags().BoolVar(&cancel, "cancel", false, "let consultations begin again")
	c.MarkFlagsMutuallyExclusive("until", "cancel")
	c.RunE = func(c *cobra.Command, _ []string) error {
		admin := adminclient.New(socket)
		if cancel {
			if _, err := admin.EndDrain(c.Context()); err != nil {
				return err
			}
			_, err := fmt.Fprintln(c.OutOrStdout(), "consultations begin again")
			return err
		}
		where, err := appointment.LoadZone(appointment.DefaultZone)
		if err != nil {
			return err
		}
		end, err := readUntil(until, time.Now(), where)
		if err != nil {
			return err
		}
		state, err := admin.StartDrain(c.Context(), end)
		if err != nil {
			return err
		}
		fmt.Fprintln(c.OutOrStdout(), describeDrain(state, time.Now(), where))
		return waitDrained(c.Context(), admin, state, end, c.ErrOrStderr())
	}
	return c
}

// describeDrain returns, for example, "2 calls, next appointment at 14:20 CET".
func describeDrain(d api.Drained, now time.Time, where *time.Location) string {
	if d.Next.IsZero() {
		return appliance.Count(d.Calls, "call") + ", no upcoming appointment"
	}
	return appliance.Count(d.Calls, "call") + ", next appointment at " + forDrain(d.Next, now, where)
}

// waitDrained waits until no call is left or the time is up. On a terminal it shows the number of
// calls.
func waitDrained(ctx context.Context, admin *adminclient.Client, state api.Drained, end time.Time,
	stderr io.Writer) (err error) {
	if !end.IsZero() {
		var stop context.CancelFunc
		ctx, stop = context.WithDeadline(ctx, end)
		defer stop()
	}
	shown := terminal.Is(stderr)
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for state.Calls > 0 {
		if shown {
			fmt.Fprintf(stderr, "\r\033[K%s", appliance.Count(state.Calls, "call"))
		}
		select {
		case <-second.C:
		case <-ctx.Done():
			return fmt.Errorf("still %s; the appliance keeps draining until praxisrelay drain "+
				"--cancel or a restart", appliance.Count(state.Calls, "call"))
		}
		next, err := admin.Drained(ctx)
		switch {
		case ctx.Err() != nil:
			continue // the loop returns the error
		case err != nil:
			return err
		case !next.Draining:
			return errors.New("the drain was cancelled")
		}
		state = next
	}
	if shown {
		fmt.Fprint(stderr, "\r\033[K")
	}
	return nil
}

// forDrain shows a time to somebody who knows today's date.
func forDrain(t, now time.Time, where *time.Location) string {
	t, now = t.In(where), now.In(where)
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format("15:04 MST")
	}
	return forPeople(t, where)
}

// readUntil reads when a drain will be over: a duration, a time of day, or a time as for code
// create --start.
func readUntil(text string, now time.Time, where *time.Location) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		return later(now.Add(d), now)
	}
	if clock, err := time.Parse("15:04", text); err == nil {
		today := now.In(where)
		at := time.Date(today.Year(), today.Month(), today.Day(), clock.Hour(), clock.Minute(), 0, 0, where)
		if !at.After(now) {
			at = time.Date(today.Year(), today.Month(), today.Day()+1, clock.Hour(), clock.Minute(), 0,
				0, where)
		}
		return at, nil
	}
	at, err := appointment.ParseStart(text, appointment.DefaultZone, now)
	if err != nil {
		return at, errors.New("--until is not understood: write it like 30m, 14:20 or \"2026-12-01 14:20\"")
	}
	return later(at, now)
}

func later(t, now time.Time) (time.Time, error) {
	if !t.After(now) {
		return t, errors.New("--until is in the past: use a later time, like 30m or 14:20")
	}
	if t.Sub(now) > appointment.MaxAhead {
		return t, errors.New("--until is more than two years ahead: correct the date")
	}
	return t, nil
}
