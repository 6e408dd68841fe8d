package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/code"
)

func codeReissueCommand(socket *string) *cobra.Command {
	var seat string
	var asJSON bool
	c := &cobra.Command{
		Use:   "reissue APPOINTMENT --seat SEAT",
		Short: "Give one seat a new code, using the other seat's code",
		Long: "Give one seat a new code. The old one becomes invalid, and anyone who joined with it\n" +
			"is sent out. The other seat's code is read from standard input: without it, nobody, not\n" +
			"even the daemon, can open the room key that the new code must lead to.\n" +
			"If neither code is left, revoke the appointment and make another.",
		Example: "  praxisrelay code reissue jnrgqgsnkz2ja --seat patient",
		Args:    cobra.ExactArgs(1),
	}
	c.Flags().StringVar(&seat, "seat", "", "the `seat` that gets a new code: "+
		strings.Join(appointment.SeatNames, " or "))
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	_ = c.MarkFlagRequired("seat")
	c.RunE = func(c *cobra.Command, args []string) error {
		if !slices.Contains(appointment.SeatNames, seat) {
			return fmt.Errorf("there is no seat %q: use --seat %s", seat,
				strings.Join(appointment.SeatNames, " or "))
		}
		other := appointment.SeatNames[0]
		if other == seat {
			other = appointment.SeatNames[1]
		}
		fmt.Fprintf(c.ErrOrStderr(), "code of the %s: ", other)
		shown, err := readCode(c.InOrStdin())
		if err != nil {
			return err
		}
		out := newDelivery(c.OutOrStdout())
		made, err := adminclient.New(*socket).Reissue(c.Context(), args[0], seat, other, shown)
		if err != nil {
			return err
		}
		if err := out.print(func() error {
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(createdSeat{made.Name,
					made.Code.Format(), made.Link})
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "%s   %s   %s\n", made.Name, made.Code.Format(), made.Link)
			return err
		}); err != nil {
			return fmt.Errorf("%w; the seat's old code is invalid and nobody has the new one: "+
				"reissue the code again", err)
		}
		return nil
	}
	return c
}

// readCode reads a code from a line of input. It is not an argument because other users of the host
// can see those.
func readCode(in io.Reader) (code.Code, error) {
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return code.Code{}, err
	}
	return code.Parse(line)
}
