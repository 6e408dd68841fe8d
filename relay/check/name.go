package check

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// nameTime is how long a name lookup may take.
const nameTime = 6 * time.Second

// Name asks the system's resolver for the addresses of the appliance.
func (t *Target) Name() Probe {
	return Probe{ID: "dns", Run: func(ctx context.Context) (Values, error) {
		ctx, cancel := context.WithTimeout(ctx, nameTime)
		defer cancel()
		found, err := net.DefaultResolver.LookupNetIP(ctx, "ip"+string(t.Family), t.Host)
		values := Values{}
		var all []netip.Addr
		for _, addr := range found {
			addr = addr.Unmap()
			kind := "ipv6"
			if addr.Is4() {
				kind = "ipv4"
			}
			list, _ := values[kind].([]string)
			values[kind] = append(list, addr.String())
			all = append(all, addr)
		}
		t.mu.Lock()
		t.addresses = all
		t.mu.Unlock()
		if err == nil {
			return values, nil
		}
		if proxy, _ := t.proxyFor(net.JoinHostPort(t.Host, "443")); proxy != nil {
			return values, Skip(NoAddress) // here the proxy looks up names
		}
		return values, Failure{NoAddress, err}
	}}
}

// Addresses returns the addresses that the name resolves to here.
func (t *Target) Addresses() []netip.Addr {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.addresses
}
