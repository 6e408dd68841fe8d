package setup

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"time"

	"praxisrelay/config"
	"praxisrelay/config/firewall"
	"praxisrelay/config/lang"
	"praxisrelay/relay/probe"
)

// report prints what has to be done elsewhere, what was made, and the next steps.
func (s *setup) report(ctx context.Context, out io.Writer, c config.Config, made []string,
	warnings int) error {
	addresses := reachedAt(c)
	plan, err := firewall.New(c, firewall.Site{Addresses: addresses, AsOf: time.Now()})
	if err != nil {
		return err
	}
	if err := plan.Write(out, "text", lang.English); err != nil {
		return err
	}
	reportDNS(ctx, out, c, addresses)
	fmt.Fprint(out, "\nMADE\n\n")
	for _, file := range made {
		fmt.Fprintf(out, "  %s\n", file)
	}
	if s.kept {
		fmt.Fprintf(out, "  %s exists and is kept: edit it, or move it away to begin again\n", s.file)
	}
	next := "systemctl enable --now praxisrelay"
	if _, port, _ := net.SplitHostPort(c.Listen.HTTP); port == "80" {
		next += " praxisrelay-http.socket"
	}
	if slices.Contains(c.Listen.TURNUDP, ":443") {
		next += " praxisrelay-udp443.socket"
	}
	if s.file != "/etc/praxisrelay/praxisrelay.yaml" {
		next = "praxisrelay serve --config " + s.file
	}
	fmt.Fprint(out, "\nNEXT\n\n")
	if warnings > 0 {
		fmt.Fprintf(out, "  see the warnings at the top: %d\n", warnings)
	}
	_, err = fmt.Fprintf(out, "  %s\n  praxisrelay code create --start now   # a first appointment\n", next)
	return err
}

// reportDNS lists the DNS records that clients need, and whether they exist.
func reportDNS(ctx context.Context, out io.Writer, c config.Config, addresses []netip.Addr) {
	if _, err := netip.ParseAddr(c.Name); err == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, probe.LookupTime)
	defer cancel()
	found, _ := net.DefaultResolver.LookupNetIP(ctx, "ip", c.Name)
	for i := range found {
		found[i] = found[i].Unmap()
	}
	fmt.Fprint(out, "\nDNS RECORDS\n\n")
	if shown := config.NameForPeople(c.Name); shown != c.Name {
		fmt.Fprintf(out, "  %s: DNS, certificates and links use the latter form\n", shown)
	}
	for _, addr := range addresses {
		kind, state := "A   ", "to make"
		if addr.Is6() {
			kind = "AAAA"
		}
		if slices.Contains(found, addr) {
			state = "is there"
		}
		if addr.IsPrivate() {
			state += "; a private address, only for clients within your network"
		}
		fmt.Fprintf(out, "  %s.  %s  %-15s  ; %s\n", c.Name, kind, addr, state)
	}
	if !slices.ContainsFunc(addresses, netip.Addr.Is6) {
		fmt.Fprint(out, "  This host has no IPv6 address: no AAAA record.\n")
	}
}

// reachedAt are the addresses for clients. The public address replaces the host's own of the same
// family.
func reachedAt(c config.Config) (addresses []netip.Addr) {
	if addr, err := netip.ParseAddr(c.Name); err == nil {
		return []netip.Addr{addr}
	}
	public := c.Relay.PublicAddress
	for network, elsewhere := range map[string]string{"udp4": "192.0.2.1:9", "udp6": "[2001:db8::1]:9"} {
		// The routing table determines the address; nothing is sent.
		conn, err := net.Dial(network, elsewhere)
		if err != nil {
			continue
		}
		own := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
		conn.Close()
		if !public.IsValid() || public.Is4() != own.Is4() {
			addresses = append(addresses, own)
		}
	}
	if public.IsValid() {
		addresses = append(addresses, public)
	}
	slices.SortFunc(addresses, netip.Addr.Compare) // IPv4 first
	return addresses
}
