package cli

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"praxisrelay/cmd/praxisrelay/terminal"
	"praxisrelay/config"
	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/token"
)

func tokenCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "token",
		Short: "Make, list and revoke access tokens of the admin API",
	}
	socket := c.PersistentFlags().String("socket", config.Default().Signal.AdminSocket,
		"the daemon's admin `socket`")
	c.AddCommand(tokenCreateCommand(socket), tokenListCommand(socket), tokenRevokeCommand(socket))
	return c
}

func tokenCreateCommand(socket *string) *cobra.Command {
	var scopes []string
	var name, expires string
	var asJSON bool
	c := &cobra.Command{
		Use:     "create --scope SCOPE",
		Short:   "Make a token and print it once",
		Example: `  praxisrelay token create --scope appointments --name "practice software" --expires 90d`,
		Args:    cobra.NoArgs,
	}
	c.Flags().StringSliceVar(&scopes, "scope", nil,
		fmt.Sprintf("what it allows: `%s` or %s", token.Appointments, token.ReadAppointments))
	c.Flags().StringVar(&name, "name", "", "a `label` to recognize it by")
	c.Flags().StringVar(&expires, "expires", "",
		"how `long` it is valid, like 90d or 12h (default: until it is revoked)")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	_ = c.MarkFlagRequired("scope")
	c.RunE = func(c *cobra.Command, _ []string) error {
		until, err := parseExpires(expires, time.Now())
		if err != nil {
			return err
		}
		var wanted []token.Scope
		for _, scope := range scopes {
			wanted = append(wanted, token.Scope(scope))
		}
		out, admin := newDelivery(c.OutOrStdout()), adminclient.New(*socket)
		made, err := admin.CreateToken(c.Context(), name, wanted, until)
		if err != nil {
			return err
		}
		if err := out.print(func() error {
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(made)
			}
			_, err := fmt.Fprintln(c.OutOrStdout(), made.Token)
			return err
		}); err != nil {
			return takeBack(c.Context(), err, []string{made.ID}, admin.RevokeToken,
				"praxisrelay token revoke")
		}
		return nil
	}
	return c
}

// parseExpires reads a number of days ("90d") or another duration ("12h").
func parseExpires(text string, now time.Time) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	after, err := time.ParseDuration(text)
	if days, inDays := strings.CutSuffix(text, "d"); inDays {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		after = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || after <= 0 {
		return nil, fmt.Errorf("--expires %q is not understood: write it like 90d or 12h", text)
	}
	return new(now.Add(after).UTC().Truncate(time.Second)), nil
}

func tokenListCommand(socket *string) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List tokens, without their secrets, which the daemon does not know",
		Args:  cobra.NoArgs,
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		list, err := adminclient.New(*socket).Tokens(c.Context())
		if err != nil {
			return err
		}
		if asJSON {
			return json.NewEncoder(c.OutOrStdout()).Encode(list)
		}
		now := time.Now()
		w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 3, ' ', 0)
		fmt.Fprintln(w, "TOKEN\tNAME\tSCOPES\tCREATED\tEXPIRES")
		for _, t := range list {
			expires := "never"
			switch {
			case t.Expires.IsZero():
			case !now.Before(t.Expires):
				expires = "over"
			default:
				expires = t.Expires.Format(time.DateOnly)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", t.ID, terminal.Printable(t.Name),
				joinScopes(t.Scopes), t.Created.Format(time.DateOnly), expires)
		}
		return w.Flush()
	}
	return c
}

func joinScopes(scopes []token.Scope) string {
	var texts []string
	for _, scope := range scopes {
		texts = append(texts, string(scope))
	}
	return strings.Join(texts, ",")
}

func tokenRevokeCommand(socket *string) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke TOKEN",
		Short: "Revoke a token by its id",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := adminclient.New(*socket).RevokeToken(c.Context(), args[0]); err != nil {
				return err
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "%s is revoked\n", args[0])
			return err
		},
	}
}
