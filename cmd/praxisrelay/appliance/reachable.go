package appliance

import (
	"context"
	"fmt"

	"praxisrelay/config"
	"praxisrelay/relay/probe"
)

// findPublicAddress asks a STUN server for the public address, if so configured.
func findPublicAddress(ctx context.Context, r *config.Relay) (err error) {
	if r.PublicAddressFrom == "" {
		return nil
	}
	if r.PublicAddress, err = probe.PublicAddress(ctx, r.PublicAddressFrom); err != nil {
		return fmt.Errorf("relay.public_address_from: %w: name another server, or set "+
			"relay.public_address", err)
	}
	if !config.Public(r.PublicAddress) {
		return fmt.Errorf("relay.public_address_from: the STUN server %s says %s, which clients "+
			"cannot reach: name another server, or set relay.public_address",
			r.PublicAddressFrom, r.PublicAddress)
	}
	return nil
}

// checkName warns if the name leads clients elsewhere. The appliance serves anyway: the DNS may be
// late, or give different answers inside.
func (a *Appliance) checkName(ctx context.Context) {
	if err := probe.LeadsHere(ctx, a.inEffect().Name, a.public); err != nil && ctx.Err() == nil {
		a.log.Warn("clients may not arrive", "name", err)
	}
}
