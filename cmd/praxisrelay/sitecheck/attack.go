package sitecheck

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"praxisrelay/config/lang"
	"praxisrelay/relay/check"
	"praxisrelay/relay/hostile"
	"praxisrelay/relay/probe"
	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/client"
	"praxisrelay/signal/protocol"
)

const (
	// attackTime is longer than an attack takes; attackCodes are valid for longer than attackTime.
	attackTime  = 5 * time.Minute
	attackCodes = 10 * time.Minute
	revokeTime  = 10 * time.Second
)

// attack runs the attacks against the appliance that the admin socket belongs to.
func (f *checkFlags) attack(c *cobra.Command, address string) (err error) {
	language, err := lang.Parse(f.lang)
	if err != nil {
		return fmt.Errorf("--lang: %w", err)
	}
	ctx, cancel := context.WithTimeout(c.Context(), attackTime)
	defer cancel()
	o := owned{admin: adminclient.New(f.socket), socket: f.socket}
	if err := o.prove(ctx, address); err != nil {
		return err
	}
	// Whatever happens, nothing of the attack stays behind.
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTime)
		defer cancel()
		err = errors.Join(err, o.revoke(ctx))
	}()
	target, err := o.target(ctx)
	if err != nil {
		return err
	}
	event, end := attackProgress(c.ErrOrStderr(), language)
	target.Event = event
	found, err := target.Run(ctx)
	end()
	if err != nil {
		return errors.New("the attack did not finish, so there is no verdict")
	}
	report := newAttackReport(o.server, target, found, language, time.Now())
	if err := f.write(c.OutOrStdout(), report); err != nil {
		return err
	}
	return map[AttackVerdict]error{Leaks: exitFails, Undecided: exitUnknown}[report.Verdict]
}

// owned is the appliance behind the admin socket.
type owned struct {
	admin  *adminclient.Client
	socket string
	info   protocol.Info // from the socket
	server string        // the URL, without a path
	addr   netip.AddrPort
	tls    *tls.Config // accepts only its certificate
	made   []string    // appointments
	seats  [2]hostile.Seat
}

// prove connects to the URL, or to the appliance's own, and makes sure that the server there is the
// one behind the socket: its certificate has the key that the socket reports.
func (o *owned) prove(ctx context.Context, address string) (err error) {
	if o.info, err = o.admin.GetInfo(ctx); err != nil {
		return err
	}
	if len(o.info.Key) == 0 {
		return errors.New("the server has no certificate yet, so it cannot be told from another: " +
			"wait until it has one")
	}
	if address == "" {
		address = o.info.URL
	}
	u, port, err := ParseAppliance(address)
	if err != nil {
		return err
	}
	o.server = u.Scheme + "://" + u.Host
	o.tls = check.TrustKey(u.Hostname(), o.info.Key)
	dialing, cancel := context.WithTimeout(ctx, revokeTime)
	defer cancel()
	conn, err := (&tls.Dialer{Config: o.tls}).DialContext(dialing, "tcp",
		net.JoinHostPort(u.Hostname(), strconv.Itoa(int(port))))
	switch {
	case err != nil && check.ReasonOf(err) == check.Intercepted:
		return fmt.Errorf("%s is not attacked: the certificate there is not that of the "+
			"server behind %s", o.server, o.socket)
	case err != nil:
		return fmt.Errorf("%s is not attacked: %w; from this host another address may lead there: "+
			"use https://ADDRESS/", o.server, err)
	}
	o.addr = conn.RemoteAddr().(*net.TCPAddr).AddrPort()
	o.addr = netip.AddrPortFrom(o.addr.Addr().Unmap(), o.addr.Port())
	return conn.Close()
}

// target makes two appointments through the socket and joins both at the URL. Only the intended
// server accepts their codes.
func (o *owned) target(ctx context.Context) (*hostile.Target, error) {
	status, err := o.admin.Status(ctx)
	if err != nil {
		return nil, err
	}
	own, err := probe.HostAddresses()
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC().Truncate(time.Second)
	for i := range o.seats {
		made, err := o.admin.CreateTest(ctx, now, now.Add(attackCodes))
		if err != nil {
			return nil, err
		}
		o.made = append(o.made, made.ID)
		if o.seats[i], err = o.join(ctx, made); err != nil {
			return nil, fmt.Errorf("%s is not attacked: it does not take a code of the server "+
				"behind %s: %w", o.server, o.socket, err)
		}
	}
	port := o.addr.Port()
	t := &hostile.Target{
		Addr: o.addr.Addr(), HTTPS: port, TLS: o.tls, Ways: attackWays(o.info.TURN, port),
		Seats: o.seats, Own: own, Revoke: o.revoke,
		Paired: !slices.ContainsFunc(status.Limits, func(l api.LimitUse) bool {
			return l.Name == "relay.ports"
		}),
		Web: []hostile.Page{{
			Name: check.Way{Transport: check.TCP, Port: port}.String(),
			URL:  o.server, Client: o.client(o.addr), Requests: []hostile.Ask{
				{Method: "GET", Path: "/metrics"}, {Method: "GET", Path: "/v1/status"}, {Method: "GET", Path: "/v1/backup"},
				{Method: "GET", Path: "/v1/appointments"}, {Method: "POST", Path: "/v1/appointments"},
				{Method: "DELETE", Path: "/v1/appointments/" + o.made[0]}, {Method: "GET", Path: "/v1/tokens"},
				{Method: "POST", Path: "/v1/tokens"}, {Method: "POST", Path: "/v1/reload"}, {Method: "PUT", Path: "/v1/drain"},
			},
		}},
	}
	// A missing token counts as a wrong one, hence only two requests.
	for _, l := range status.Listeners {
		if addr, err := netip.ParseAddrPort(l.Address); err == nil && l.Name == "signal.admin_listen" {
			if addr.Addr().IsUnspecified() {
				addr = netip.AddrPortFrom(o.addr.Addr(), addr.Port())
			}
			t.Web = append(t.Web, hostile.Page{Name: l.Name, URL: "https://" + addr.String(),
				Client: o.client(addr), Requests: []hostile.Ask{
					{Method: "GET", Path: "/v1/appointments"}, {Method: "POST", Path: "/v1/tokens"},
				}})
		}
	}
	return t, nil
}

// attackWays returns a way for each transport, and the page's port.
func attackWays(ports protocol.Ports, page uint16) (ways []check.Way) {
	others := slices.DeleteFunc(slices.Clone(ports.TLS), func(port uint16) bool { return port == page })
	for _, list := range []struct {
		transport check.Transport
		ports     []uint16
	}{{check.UDP, ports.UDP}, {check.TCP, ports.TCP}, {check.TLS, others}} {
		if len(list.ports) > 0 {
			ways = append(ways, check.Way{Transport: list.transport, Port: list.ports[0]})
		}
	}
	return append(ways, check.Way{Transport: check.TLS, Port: page})
}

// client connects to this address of the server only, even if the name changes or a redirect points
// elsewhere.
func (o *owned) client(addr netip.AddrPort) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			TLSClientConfig: o.tls, DisableKeepAlives: true,
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, addr.String())
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (o *owned) join(ctx context.Context, made adminclient.Created) (seat hostile.Seat, err error) {
	visit := client.Check{Dialer: client.Dialer{HTTP: o.client(o.addr), Server: o.server},
		Keys: made.Seats[0].Keys}
	b, err := visit.Join(ctx)
	switch {
	case err != nil:
		return seat, err
	case !bytes.Equal(b.RoomKey[:], o.info.Key):
		return seat, errors.New("the code opens another key")
	case b.ICE == nil || len(b.ICE.Servers) == 0:
		return seat, errors.New("no TURN credential arrived")
	}
	return hostile.Seat{Username: b.ICE.Servers[0].Username, Password: b.ICE.Servers[0].Credential}, nil
}

// revoke revokes the appointments that were made.
func (o *owned) revoke(ctx context.Context) (err error) {
	for len(o.made) > 0 {
		if err := o.admin.Revoke(ctx, o.made[0]); err != nil {
			return fmt.Errorf("the test %s could not be revoked, and expires within %v: %w", o.made[0],
				attackCodes, err)
		}
		o.made = o.made[1:]
	}
	return nil
}
