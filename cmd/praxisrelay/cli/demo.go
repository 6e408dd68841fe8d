package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"praxisrelay/cmd/praxisrelay/appliance"
	"praxisrelay/cmd/praxisrelay/logs"
	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/config"
	"praxisrelay/signal"
	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/appointment"
	"praxisrelay/systemd"
)

// demoHost is the only address of the demo.
const demoHost = "127.0.0.1"

// demoInfo is the demo's output.
type demoInfo struct {
	URL     string   `json:"url"`
	HTTPS   string   `json:"https"`
	TURNUDP string   `json:"turn_udp"`
	TURNTCP string   `json:"turn_tcp"`
	TURNTLS string   `json:"turn_tls"`
	Doctor  demoSeat `json:"doctor"`
	Patient demoSeat `json:"patient"`
}

type demoSeat struct {
	Code       string    `json:"code"`
	Link       string    `json:"link"`
	Username   string    `json:"username"`
	Credential string    `json:"credential"`
	Expires    time.Time `json:"expires"`
}

func demoCommand(p appliance.Process) *cobra.Command {
	var ports struct{ https, udp, tcp, tls uint16 }
	var asJSON bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run a complete appliance for this computer only, with one appointment",
		Long: "Run a complete appliance on " + demoHost + " with a self-signed certificate and one\n" +
			"appointment, and print what to open. It needs no configuration and leaves\n" +
			"nothing behind.",
		Args: cobra.NoArgs,
	}
	c.Flags().Uint16Var(&ports.https, "https-port", 8443,
		"`port` of the page, signaling and TURN over TLS; 0: any")
	c.Flags().Uint16Var(&ports.udp, "turn-udp-port", 3478, "UDP `port` of TURN; 0: any")
	c.Flags().Uint16Var(&ports.tcp, "turn-tcp-port", 3478, "TCP `port` of TURN; 0: any")
	c.Flags().Uint16Var(&ports.tls, "turn-tls-port", 5349, "`port` of TURN over TLS only; 0: any")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object on one line when it is ready")
	c.RunE = func(c *cobra.Command, _ []string) error {
		outliveReaders()
		folder, err := os.MkdirTemp("", "praxisrelay-demo-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(folder)

		settings := config.Default()
		settings.Name = demoHost
		settings.Listen.HTTPS = onPort(ports.https)
		settings.Listen.TURNUDP = []string{onPort(ports.udp)}
		settings.Listen.TURNTCP = []string{onPort(ports.tcp)}
		settings.Listen.TURNTLS = []string{onPort(ports.tls)}
		settings.Relay.Addresses = []netip.Addr{netip.MustParseAddr(demoHost)}
		settings.Metrics.Listen = ""
		settings.Signal.Registry = filepath.Join(folder, "registry.db")
		settings.Signal.AdminSocket = filepath.Join(folder, "admin.sock")
		held, err := secrets.New(demoHost)
		if err != nil {
			return err
		}
		log := logs.New(c.ErrOrStderr(), settings.Log.Level, settings.Log.Addresses, time.Now)
		defer log.Close()
		go log.Run(c.Context())
		a, err := appliance.Listen(c.Context(), appliance.Options{
			Config: settings, Secrets: held, Sockets: new(systemd.Sockets), Version: p.Version,
			Now: p.Now, Log: log,
		})
		if systemd.RefusedPort(err) > 0 {
			return fmt.Errorf("%w (the flags --https-port, --turn-udp-port, --turn-tcp-port and "+
				"--turn-tls-port take 0 for any port)", err)
		}
		if err != nil {
			return err
		}
		ctx, stop := context.WithCancel(c.Context())
		defer stop()
		ended := make(chan error, 1)
		go func() { ended <- a.Serve(ctx) }()
		info, err := newDemo(ctx, a, adminclient.New(settings.Signal.AdminSocket))
		if err == nil {
			err = info.print(c.OutOrStdout(), asJSON)
		}
		if err != nil {
			stop()
			<-ended
			return err
		}
		return <-ended
	}
	return c
}

// newDemo makes the appointment as an administrator would.
func newDemo(ctx context.Context, a *appliance.Appliance, admin *adminclient.Client) (demoInfo, error) {
	now := time.Now().UTC().Truncate(time.Second)
	created, err := admin.Create(ctx, now, now.Add(appointment.Length), "")
	if err != nil {
		return demoInfo{}, err
	}
	at := a.Addresses()
	info := demoInfo{
		URL:     a.URL(),
		HTTPS:   at.HTTPS.String(),
		TURNUDP: at.UDP[0].String(),
		TURNTCP: at.TCP[0].String(),
		TURNTLS: at.TLS[0].String(),
	}
	for i, seat := range []*demoSeat{&info.Doctor, &info.Patient} {
		made := created.Seats[i]
		c, err := a.Mint(signal.Holder{Appointment: created.ID, Seat: made.Name,
			Until: now.Add(appointment.Length)})
		if err != nil {
			return demoInfo{}, err
		}
		*seat = demoSeat{made.Code.Format(), made.Link, c.Username, c.Password, c.Expires}
	}
	return info, nil
}

func (i demoInfo) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(i)
	}
	_, err := fmt.Fprintf(w, `praxisrelay demo, on this computer alone

Open both links in one browser, in two windows. It will warn about the demo's own
certificate: go on. Then allow camera and microphone.

  doctor    %s
  patient   %s

  HTTPS, signaling, TURN over TLS   %s/tcp
  TURN                              %s/udp
  TURN                              %s/tcp
  TURN over TLS                     %s/tcp

To see that the relay alone carries the call, add ?policy=relay before the #.
Ctrl-C ends the demo.
`, i.Doctor.Link, i.Patient.Link, i.HTTPS, i.TURNUDP, i.TURNTCP, i.TURNTLS)
	return err
}

func onPort(port uint16) string { return net.JoinHostPort(demoHost, strconv.Itoa(int(port))) }
