package probe

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// LookupTime is how long a name may take to resolve.
const LookupTime = 5 * time.Second

// Resolver looks up names; net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// CheckName compares the addresses of a name with those at which the appliance is reached. The
// error includes a remedy.
func CheckName(ctx context.Context, resolver Resolver, name string, reached []netip.Addr) error {
	if _, err := netip.ParseAddr(name); err == nil {
		return nil
	}
	resolved, err := resolver.LookupNetIP(ctx, "ip", name)
	if err != nil {
		return fmt.Errorf("%s does not resolve here (%w): clients need it in their DNS", name, err)
	}
	var elsewhere []string
	for _, addr := range resolved {
		if !slices.Contains(reached, addr.Unmap()) {
			elsewhere = append(elsewhere, addr.Unmap().String())
		}
	}
	if len(elsewhere) == 0 {
		return nil
	}
	return fmt.Errorf("%s resolves to %s, which is no address of this host: "+
		"if a NAT translates it, set relay.public_address; else correct the DNS",
		name, strings.Join(elsewhere, ", "))
}

// LeadsHere returns an error unless a name resolves to addresses of this host, or to the public one
// that a NAT translates to it. It gives up after ten seconds.
func LeadsHere(ctx context.Context, name string, public netip.Addr) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	own, err := HostAddresses()
	if err != nil {
		return err
	}
	return CheckName(ctx, net.DefaultResolver, name, append(own, public))
}

// HostAddresses returns the addresses of the host's interfaces.
func HostAddresses() (own []netip.Addr, err error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("the addresses of this host cannot be read: %w", err)
	}
	for _, addr := range addrs {
		if prefix, err := netip.ParsePrefix(addr.String()); err == nil {
			own = append(own, prefix.Addr().Unmap().WithZone(""))
		}
	}
	return own, nil
}

// ClientAddresses looks up where clients go. The view from here may be another than
// theirs: a public address that is configured takes the place of what is found of its
// family, and is enough where nothing is.
func ClientAddresses(ctx context.Context, resolver Resolver, name string, public netip.Addr) (addresses []netip.Addr, err error) {
	if addr, err := netip.ParseAddr(name); err == nil {
		return []netip.Addr{addr}, nil
	}
	if public.IsValid() {
		addresses = append(addresses, public)
	}
	ctx, cancel := context.WithTimeout(ctx, LookupTime)
	defer cancel()
	found, err := resolver.LookupNetIP(ctx, "ip", name)
	if err != nil && !public.IsValid() {
		return nil, fmt.Errorf("%s does not resolve here (%w)", name, err)
	}
	for _, addr := range found {
		if addr = addr.Unmap(); !public.IsValid() || addr.Is4() != public.Is4() {
			addresses = append(addresses, addr)
		}
	}
	return addresses, nil
}
