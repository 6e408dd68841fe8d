package appliance

import (
	"errors"

	"praxisrelay/signal/health"
)

// checks are the checks behind /healthz and /readyz.
func (a *Appliance) checks() health.Checks {
	return health.Checks{
		Alive: []health.Check{
			{Name: "relay", Test: a.relay.Alive},
			{Name: "signaling", Test: a.signal.Alive},
		},
		Ready: []health.Check{
			{Name: "registry", Test: a.signal.CheckRegistry},
			{Name: "certificate", Test: a.pair.Ready},
			{Name: "capacity", Test: a.checkCapacity},
			{Name: "drain", Test: a.checkDrain},
		},
		Doubts: []health.Check{
			{Name: "pepper", Test: a.checkPepper},
		},
	}
}

func (a *Appliance) checkCapacity() error {
	if a.relay.Full() {
		return errors.New("relay.max_allocations is reached: wait until calls end, or raise it")
	}
	if free, all := a.relay.Ports(); all > 0 && free == 0 {
		return errors.New("no relayed port is free: wait until calls end, or widen relay.ports")
	}
	return nil
}

func (a *Appliance) checkDrain() error {
	if a.draining() {
		return errors.New("draining, so no consultation begins: praxisrelay drain --cancel or a " +
			"restart ends that")
	}
	return nil
}
