package cli

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"praxisrelay/config"
	"praxisrelay/config/firewall"
	"praxisrelay/config/lang"
	"praxisrelay/relay/probe"
	"praxisrelay/signal/admin/adminclient"
)

func firewallCommand() *cobra.Command {
	var file, format, language string
	var addresses, management []string
	c := &cobra.Command{
		Use:   "firewall",
		Short: "Print what firewalls must let through for this appliance",
		Long: "Print what firewalls must let through for a configured appliance: in its clients'\n" +
			"networks, in front of it, and for what it sends out itself.\n\n" +
			"text, markdown, csv, json and html are tables for the people who open ports.\n" +
			"nftables and iptables are rule sets for the server itself, firewalld a service\n" +
			"and ufw application profiles; the first lines of each say how to load it.\n\n" +
			"If the configuration's daemon is running and may be asked, the tables in text,\n" +
			"markdown, json and html include its certificate's key, for check --fingerprint.",
		Example: `  praxisrelay firewall
  praxisrelay firewall --format csv --lang de > freigaben.csv
  praxisrelay firewall --format nftables --management 192.0.2.0/24 > praxisrelay.nft`,
		Args: cobra.NoArgs,
	}
	c.Flags().StringVar(&file, "config", "/etc/praxisrelay/praxisrelay.yaml", "the configuration `file`")
	c.Flags().StringVar(&format, "format", "text", strings.Join(firewall.Formats(), ", "))
	c.Flags().StringVar(&language, "lang", string(lang.English), "`language`: de or en")
	c.Flags().StringSliceVar(&addresses, "address", nil,
		"the `addresses` at which clients reach the name (default: those that it resolves to here)")
	c.Flags().StringSliceVar(&management, "management", nil,
		"the `networks` from which the server is administered and monitored (default: any)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		settings, err := config.Load(file)
		if err != nil {
			return err
		}
		l, err := lang.Parse(language)
		if err != nil {
			return fmt.Errorf("--lang: %w", err)
		}
		site := firewall.Site{AsOf: time.Now()}
		if site.Addresses, err = parseAll(addresses, netip.ParseAddr); err != nil {
			return fmt.Errorf("--address: %w: write it like 192.0.2.10 or 2001:db8::10", err)
		}
		if site.Management, err = parseAll(management, netip.ParsePrefix); err != nil {
			return fmt.Errorf("--management: %w: write it like 192.0.2.0/24", err)
		}
		if len(addresses) == 0 {
			if site.Addresses, err = probe.ClientAddresses(c.Context(), net.DefaultResolver,
				settings.Name, settings.Relay.PublicAddress); err != nil {
				fmt.Fprintf(c.ErrOrStderr(),
					"praxisrelay: %v: its addresses are missing from the tables; give them with "+
						"--address\n", err)
			}
		}
		site.Key = shownKey(c.Context(), settings)
		plan, err := firewall.New(settings, site)
		if err != nil {
			return err
		}
		err = plan.Write(c.OutOrStdout(), format, l)
		if err != nil && !slices.Contains(firewall.Formats(), format) {
			return fmt.Errorf("--format: %w", err)
		}
		return err // a full disk is not a mistake in the flag
	}
	return c
}

// askTime limits how long the daemon may take to report its certificate.
const askTime = 2 * time.Second

// shownKey asks the configuration's daemon for the key of its certificate. If there is none, or it
// may not be asked, the key is empty.
func shownKey(ctx context.Context, c config.Config) (key firewall.Key) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	status, err := adminclient.New(c.Signal.AdminSocket).Status(ctx)
	if err != nil {
		return key
	}
	for _, shown := range status.Certificates {
		if sum, err := hex.DecodeString(shown.Key); err == nil {
			key = firewall.Key{SHA256: sum, Ends: shown.Ends}
		}
	}
	return key
}

func parseAll[T any](list []string, parse func(string) (T, error)) (values []T, err error) {
	for _, text := range list {
		value, err := parse(text)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}
