package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"praxisrelay/cmd/praxisrelay/terminal"
	"praxisrelay/config"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/client"
	"praxisrelay/signal/protocol"
)

func drainCommand() *cobra.Command {
	var socket, until string
	var cancel bool
	c := &cobra.Command{
		Use:   "drain [--until TIME|DURATION]",
		Short: "Let no consultation begin, and wait until those that run are over",
		Long: "Let no consultation begin, and wait until those that run are over: before an update,\n" +
			"say. Who has a call may change networks and load the page again; who joins without\n" +
			"one is told of the maintenance, and comes back by itself. The command ends with 0\n" +
			"when no call is left, and with 1 when --until has come before. The daemon drains\n" +
			"until it is restarted, or until praxisrelay drain --cancel.",
		Example: `  praxisrelay drain --until 14:20 && systemctl restart praxisrelay`,
		Args:    cobra.NoArgs,
	}
	c.Flags().StringVar(&socket, "socket", config.Default().Signal.AdminSocket, "the daemon's admin `socket`")
	c.Flags().StringVar(&until, "until", "", "when it will be over, as those who join are told, and how long to wait: a `time` like 14:20, or a duration like 30m")
	c.Flags().BoolVar(&cancel, "cancel", false, "let consultations begin again")
	c.MarkFlagsMutuallyExclusive("until", "cancel")
	c.RunE = func(c *cobra.Command, _ []string) error {
		admin := client.NewAdmin(socket)
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

// describeDrain is "2 calls, next appointment at 14:20 CET".
func describeDrain(d protocol.Drained, now time.Time, where *time.Location) string {
	if d.Next.IsZero() {
		return countCalls(d.Calls) + ", no appointment to come"
	}
	return countCalls(d.Calls) + ", next appointment at " + forDrain(d.Next, now, where)
}

// waitDrained waits until no call is left or the time is over, and shows on a terminal
// how many there are.
func waitDrained(ctx context.Context, admin *client.Admin, state protocol.Drained, end time.Time, stderr io.Writer) (err error) {
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
			fmt.Fprintf(stderr, "\r\033[K%s", countCalls(state.Calls))
		}
		select {
		case <-second.C:
		case <-ctx.Done():
			return fmt.Errorf("still %s; the appliance goes on draining until praxisrelay drain --cancel or a restart", countCalls(state.Calls))
		}
		next, err := admin.Drained(ctx)
		switch {
		case ctx.Err() != nil:
			continue // said above
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
