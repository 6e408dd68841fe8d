package appliance

import (
	"context"
	"fmt"

	"praxisrelay/config"
	"praxisrelay/relay/probe"
)

// findPublicAddress asks for the public address where the configuration says so.
func findPublicAddress(ctx context.Context, r *config.Relay) (err error) {
	if r.PublicAddressFrom == "" {
		return nil
	}
	if r.PublicAddress, err = probe.PublicAddress(ctx, r.PublicAddressFrom); err != nil {
		return fmt.Errorf("relay.public_address_from: %w: name another one, or set relay.public_address", err)
	}
	if !config.Public(r.PublicAddress) {
		return fmt.Errorf("relay.public_address_from: the STUN server %s says %s, which is no address that clients could reach: name another one, or set relay.public_address",
			r.PublicAddressFrom, r.PublicAddress)
	}
	return nil
}

// checkName warns when clients are sent elsewhere. That is no reason not to serve:
// the DNS may be late, or the view from inside another one.
func (a *Appliance) checkName(ctx context.Context) {
	if err := probe.LeadsHere(ctx, a.inEffect().Name, a.public); err != nil && ctx.Err() == nil {
		a.log.Warn("clients may not arrive", "name", err)
	}
}
