package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"praxisrelay/signal/admin/adminclient"
)

func codeBackupCommand(socket *string) *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Write a consistent copy of the running daemon's registry",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := backup(c.Context(), adminclient.New(*socket), args[0]); err != nil {
				return err
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "%s is written; keep the pepper somewhere else\n", args[0])
			return err
		},
	}
}

// backup writes a new file, and removes it if the copy fails.
func backup(ctx context.Context, admin *adminclient.Client, name string) (err error) {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists and is not overwritten: name another file", name)
	}
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, file.Close()); err != nil {
			os.Remove(name)
		}
	}()
	if err := admin.Backup(ctx, file); err != nil {
		return err
	}
	return file.Sync()
}
