package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/cmd/praxisrelay/terminal"
	"praxisrelay/config"
	"praxisrelay/relay/probe"
	"praxisrelay/signal/admin/api"
)

func configCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Check the configuration, and show its values",
	}
	file := c.PersistentFlags().String("config", "/etc/praxisrelay/praxisrelay.yaml",
		"the configuration `file`")
	c.AddCommand(configCheckCommand(file), configShowCommand(file))
	return c
}

func configCheckCommand(file *string) *cobra.Command {
	c := &cobra.Command{
		Use:   "check",
		Short: "Report every mistake in the configuration and in the files it names",
		Long: "Report every mistake in the configuration and in the files it names. Secrets and\n" +
			"the certificate are read, but never printed. Settings that work but are unusual\n" +
			"give a warning. Nothing is changed and no port is opened. A certificate that\n" +
			"no browser accepts is a mistake here, though the daemon starts with it.\n\n" +
			"Exit status: 0 without mistakes, even with warnings; 1 with mistakes.",
		Args: cobra.NoArgs,
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		settings, source, err := config.Read(*file)
		mistakes := source.Mistakes(err)
		var fit api.PepperFit
		if source.Decoded() {
			held, more := secrets.Read(settings, secrets.FromDisk, time.Now())
			if err == nil && more == nil {
				fit = tryPepper(c.Context(), settings, held.Peppers)
				more = secrets.PepperMistake(fit, settings)
			}
			for _, m := range source.Mistakes(more) {
				if !about(mistakes, m.Key) {
					mistakes = append(mistakes, m)
				}
			}
			err = errors.Join(err, more)
		}
		if err == nil {
			refused, warnings := secrets.CertificateProblems(settings, time.Now())
			mistakes = append(mistakes, source.Mistakes(errors.Join(refused...))...)
			warnings = slices.Concat(source.Retired(), unusual(settings), warnings)
			if err := probe.LeadsHere(c.Context(), settings.Name, settings.Relay.PublicAddress); err != nil {
				warnings = append(warnings, fmt.Errorf("name: %w", err))
			}
			warnings = append(warnings, secrets.PepperWarning(fit))
			printMistakes(c.OutOrStdout(), "warning: ", source.Mistakes(errors.Join(warnings...)))
		}
		printMistakes(c.OutOrStdout(), "", mistakes)
		if errors.Is(err, fs.ErrPermission) {
			fmt.Fprintln(c.OutOrStdout(), "root can read all files: run this with sudo")
		}
		switch len(mistakes) {
		case 0:
			_, err := fmt.Fprintf(c.OutOrStdout(), "%s: no mistakes\n", *file)
			return err
		case 1:
			return fmt.Errorf("1 mistake in %s", *file)
		}
		return fmt.Errorf("%d mistakes in %s", len(mistakes), *file)
	}
	return c
}

// about reports whether a key already has a mistake, so that its consequences need no report.
// Without the right name no certificate can be judged.
func about(mistakes config.Mistakes, key string) bool {
	return slices.ContainsFunc(mistakes, func(m config.Mistake) bool {
		return m.Key == key || m.Key == "name" && strings.HasPrefix(key, "tls.")
	})
}

func printMistakes(w io.Writer, kind string, mistakes config.Mistakes) {
	for _, m := range mistakes {
		fmt.Fprintf(w, "%s%s\n%s", kind, terminal.Printable(m.String()), m.Excerpt())
	}
}

func configShowCommand(file *string) *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Print every value and its origin: the file's line, or the default",
		Long: "Print every value and its origin: the file's line, or the default. The output is\n" +
			"itself a configuration. It names the files of secrets, but not their contents.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			settings, source, err := config.Read(*file)
			if err != nil {
				return err
			}
			return source.Show(c.OutOrStdout(), settings)
		},
	}
}

// unusual warns of values that work, but are rarely intended.
func unusual(c config.Config) (warnings []error) {
	warn := func(condition bool, text string) {
		if condition {
			warnings = append(warnings, errors.New(text))
		}
	}
	_, port, _ := net.SplitHostPort(c.Listen.HTTPS)
	warn(port != "443", "listen.https: not on port 443: many firewalls let clients through to that port only")
	warn(len(c.Listen.TURNUDP) == 0,
		"listen.turn_udp: empty: media only goes over TCP, and stutters where packets are lost; "+
			"serve \":3478\"")
	warn(c.Relay.Peers == config.Open,
		"relay.peers: the open relay sends to any public peer and needs its ports open in the "+
			"firewall; paired is enough if both clients use the appliance")
	for i, network := range c.Relay.Allow {
		warn(network.Bits() == 0 || network.Addr().IsPrivate() || network.Addr().IsLoopback(),
			fmt.Sprintf("relay.allow[%d]: anyone with a code reaches %s through the relay: keep "+
				"it as narrow as possible", i, network))
	}
	warn(c.Signal.Admission == config.None, "signal.admission: patients are let in without the doctor")
	warn(c.Metrics.Listen != "" && !onLoopback(c.Metrics.Listen),
		"metrics.listen: served without TLS to more than this host: let only the monitoring "+
			"through the firewall")
	warn(c.Log.Addresses == config.Full,
		"log.addresses: clients' addresses are personal data: keep the log no longer than needed")
	return warnings
}

func onLoopback(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
