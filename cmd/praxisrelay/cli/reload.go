package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/config"
	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/admin/api"
)

func reloadCommand() *cobra.Command {
	var file, socket string
	c := &cobra.Command{
		Use:   "reload --config FILE",
		Short: "Make the running daemon reload its configuration, secrets and certificate",
		Long: "Read the configuration, and the secrets and the certificate that it names, and pass\n" +
			"them to the running daemon, which takes all of it or nothing. Calls continue.\n" +
			"Changes that need a restart are listed. systemctl reload praxisrelay runs this as\n" +
			"root, because the daemon itself may not read these files.",
		Args: cobra.NoArgs,
	}
	c.Flags().StringVar(&file, "config", "/etc/praxisrelay/praxisrelay.yaml", "the configuration `file`")
	c.Flags().StringVar(&socket, "socket", "", "the daemon's admin `socket` (default: the configuration's)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		files := map[string][]byte{}
		settings, _, mistakes := secrets.Load(file, secrets.Noting(secrets.FromDisk, files), time.Now())
		if socket == "" {
			socket = cmp.Or(settings.Signal.AdminSocket, config.Default().Signal.AdminSocket)
		}
		admin := adminclient.New(socket)
		if mistakes != nil {
			// The daemon reports the failure in its status, metrics and log, if it can be reached.
			_, _ = admin.Reload(c.Context(), api.Reload{File: file,
				Mistakes: strings.Split(mistakes.Error(), "\n")})
			return notReloaded(mistakes.Error())
		}
		done, err := admin.Reload(c.Context(), api.Reload{File: file, Files: files})
		if err != nil {
			return err
		}
		if len(done.Mistakes) > 0 {
			return notReloaded(done.Mistakes...)
		}
		printReloaded(c.OutOrStdout(), done)
		return nil
	}
	return c
}

func notReloaded(mistakes ...string) error {
	return errors.New("not reloaded: everything is as before\n" + strings.Join(mistakes, "\n"))
}

func printReloaded(w io.Writer, done api.Reloaded) {
	switch {
	case len(done.Changed) > 0:
		fmt.Fprintf(w, "in effect now: %s\n", strings.Join(done.Changed, ", "))
	case len(done.Restart) == 0:
		fmt.Fprintln(w, "nothing has changed")
	}
	for _, key := range done.Restart {
		fmt.Fprintf(w, "%s changed: takes effect after a restart\n", key)
	}
}
