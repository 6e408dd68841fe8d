package appliance

import (
	"time"

	"praxisrelay/relay/check"
	"praxisrelay/relay/credential"
	"praxisrelay/relay/synthetic"
	"praxisrelay/signal"
	"praxisrelay/signal/admin/api"
)

// syntheticAppointment owns the calls' relayed addresses. The name of a real appointment is random.
const syntheticAppointment = "syntheticcall"

// syntheticCaller calls the appliance like a client with its ICE servers.
func (a *Appliance) syntheticCaller(name string) (*synthetic.Caller, error) {
	var ways []check.Way
	servers, err := check.ParseServers(a.urls, "", "")
	if err != nil {
		return nil, err
	}
	for _, server := range servers {
		ways = append(ways, check.WayOf(server))
	}
	return synthetic.New(synthetic.Options{
		Name: name,
		Ways: ways,
		Key:  func() []byte { return check.Fingerprint(a.pair.Leaf()) },
		Credential: func() (string, string, error) {
			c, err := a.Mint(signal.Holder{Appointment: syntheticAppointment, Seat: credential.Test})
			return c.Username, c.Password, err
		},
		Paused: a.draining,
		Now:    time.Now,
		Log:    a.log.Logger,
	}), nil
}

// syntheticCall describes a call for the status.
func syntheticCall(c synthetic.Call) api.SyntheticCall {
	return api.SyntheticCall{
		Transport: string(c.Way.Transport), Port: c.Way.Port, Family: c.Family.String(), At: c.At.UTC(),
		Error: c.Detail, RTT: float64(c.RTT.Microseconds()) / 1000,
	}
}
