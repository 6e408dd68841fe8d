package setup

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/config"
	"praxisrelay/relay/probe"
	"praxisrelay/systemd"
)

// publicAddress returns the address that a NAT translates to this host, if any: from the flag, or
// detected (with auto, or if the user agrees).
func (s *setup) publicAddress(ctx context.Context, ask *questions) (none netip.Addr, err error) {
	if s.public != "" && s.public != "auto" {
		addr, err := netip.ParseAddr(s.public)
		if err != nil {
			return none, fmt.Errorf("--public-address: %q is not an address: write it like "+
				"203.0.113.10, or auto", s.public)
		}
		return addr, nil
	}
	if s.public == "" && ask == nil {
		return none, nil
	}
	found, who, err := s.seenFrom(ctx)
	if err != nil || !found.IsValid() || s.public == "auto" {
		return found, err
	}
	agreed, err := ask.agree(fmt.Sprintf("%s %s, which is not an address of this host. Does a NAT "+
		"translate it to this host?", who, found))
	if !agreed {
		found = none
	}
	return found, err
}

// seenFrom finds the address from which others see this host, unless it is the host's own, and
// describes how it was found.
func (s *setup) seenFrom(ctx context.Context) (found netip.Addr, who string, err error) {
	own, err := probe.HostAddresses()
	if err != nil {
		return found, "", err
	}
	var seen []netip.Addr
	if s.stun != "" {
		addr, err := probe.PublicAddress(ctx, s.stun)
		if err != nil {
			return found, "", fmt.Errorf("--stun: %w", err)
		}
		seen, who = []netip.Addr{addr}, s.stun+" sees"
	} else {
		ctx, cancel := context.WithTimeout(ctx, probe.LookupTime)
		defer cancel()
		// an unresolved name gives a warning elsewhere
		seen, _ = net.DefaultResolver.LookupNetIP(ctx, "ip", s.name)
		who = s.name + " resolves to"
	}
	for _, addr := range seen {
		if addr = addr.Unmap(); !slices.Contains(own, addr) && config.Public(addr) {
			return addr, who, nil
		}
	}
	return found, who, nil
}

// warnings reports obstacles for the appliance on this host.
func (s *setup) warnings(ctx context.Context, c config.Config) (warnings []error) {
	if err := probe.LeadsHere(ctx, c.Name, c.Relay.PublicAddress); err != nil {
		if missing := new(net.DNSError); !s.kept && !errors.As(err, &missing) {
			err = fmt.Errorf("%w (--public-address auto does the first)", err)
		}
		warnings = append(warnings, fmt.Errorf("name: %w", err))
	}
	warnings = append(warnings, portWarnings(c)...)
	if err := clockWarning(); err != nil {
		warnings = append(warnings, err)
	}
	if c.TLS.ACME.Directory != "" {
		if err := directoryWarning(ctx, c.TLS.ACME, time.Now()); err != nil {
			warnings = append(warnings, err)
		}
		return warnings
	}
	if s.certificate != "" { // at its present path
		c.TLS.Certificate, c.TLS.Key = s.certificate, s.key
	}
	if _, err := secrets.ReadCertificate(c, secrets.FromDisk, time.Now()); err != nil {
		warnings = append(warnings, err)
	}
	refused, more := secrets.CertificateProblems(c, time.Now())
	return slices.Concat(warnings, refused, more)
}

// portWarnings tries every listener, and reports which program occupies it, unless that is the
// appliance itself or the service manager for it.
func portWarnings(c config.Config) (warnings []error) {
	try := func(key, network, address string) {
		if address == "" {
			return
		}
		err := bindable(network, address)
		holder := ""
		if errors.Is(err, syscall.EADDRINUSE) {
			holder = portHolder(network, address)
		}
		switch {
		case err == nil, errors.Is(err, syscall.EACCES): // the service manager may have permission
		case holder == "praxisrelay", holder == "systemd":
		case holder != "":
			warnings = append(warnings,
				fmt.Errorf("%s: %s has %s/%s: stop it, or choose another address", key, holder, address,
					network))
		default:
			warnings = append(warnings, fmt.Errorf("%s: %w", key, systemd.Remedy(err)))
		}
	}
	try("listen.https", "tcp", c.Listen.HTTPS)
	try("listen.http", "tcp", c.Listen.HTTP)
	for _, list := range []struct {
		key, network string
		addresses    []string
	}{
		{"listen.turn_udp", "udp", c.Listen.TURNUDP}, {"listen.turn_tcp", "tcp", c.Listen.TURNTCP},
		{"listen.turn_tls", "tcp", c.Listen.TURNTLS},
	} {
		for _, address := range list.addresses {
			try(list.key, list.network, address)
		}
	}
	try("signal.admin_listen", "tcp", c.Signal.AdminListen)
	try("metrics.listen", "tcp", c.Metrics.Listen)
	return warnings
}

func bindable(network, address string) error {
	if network == "udp" {
		conn, err := net.ListenPacket(network, address)
		if err == nil {
			conn.Close()
		}
		return err
	}
	listener, err := net.Listen(network, address)
	if err == nil {
		listener.Close()
	}
	return err
}

// portHolder names the program that has a port, if /proc shows it. Only root sees other users'
// programs.
func portHolder(network, address string) string {
	addr, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return ""
	}
	sockets := map[string]bool{}
	for _, file := range []string{network, network + "6"} {
		text, _ := os.ReadFile("/proc/net/" + file)
		for line := range strings.Lines(string(text)) {
			// sl, local address in hex, remote, state, queues, timer, retransmissions, uid, time-out, inode
			fields := strings.Fields(line)
			if len(fields) < 10 || !strings.HasSuffix(fields[1], fmt.Sprintf(":%04X", addr.Port)) {
				continue
			}
			const listening = "0A"
			if network == "udp" || fields[3] == listening {
				sockets["socket:["+fields[9]+"]"] = true
			}
		}
	}
	descriptors, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, descriptor := range descriptors {
		if target, err := os.Readlink(descriptor); err == nil && sockets[target] {
			name, _ := os.ReadFile(filepath.Join(descriptor, "..", "..", "comm"))
			return strings.TrimSpace(string(name))
		}
	}
	return ""
}
