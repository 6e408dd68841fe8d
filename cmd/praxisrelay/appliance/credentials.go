package appliance

import (
	"time"

	"praxisrelay/relay/credential"
	"praxisrelay/signal"
	"praxisrelay/signal/protocol"
)

// Mint makes a credential for a holder. It expires after the configured lifetime or with the
// holder's right to it, whichever is first. A zero time is no limit.
func (a *Appliance) Mint(h signal.Holder) (credential.Credential, error) {
	lifetime := time.Duration(a.lifetime.Load())
	if h.Seat == credential.Test {
		lifetime = min(lifetime, credential.TestLifetime)
	}
	expires := a.now().Add(lifetime)
	if !h.Until.IsZero() && h.Until.Before(expires) {
		expires = h.Until
	}
	return a.keys.Mint(credential.Identity{
		Appointment: h.Appointment, Seat: h.Seat, Generation: h.Generation, Expires: expires,
	})
}

// ICEServers implements signal.Relay.
func (a *Appliance) ICEServers(h signal.Holder) ([]protocol.ICEServer, time.Time, error) {
	c, err := a.Mint(h)
	return []protocol.ICEServer{{URLs: a.urls, Username: c.Username, Credential: c.Password}}, c.Expires, err
}

// Revoke implements signal.Relay.
func (a *Appliance) Revoke(appointment, seat string, generation int) {
	a.relay.Revoke(appointment, seat, generation)
}

// Forget implements signal.Relay.
func (a *Appliance) Forget(appointment string) { a.relay.Forget(appointment) }
