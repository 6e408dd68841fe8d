package main

import (
	"sync/atomic"
	"time"

	"praxisrelay/relay/credential"
	"praxisrelay/signal/protocol"
)

// mint makes a seat's credential. It expires after those that were revoked, within the
// same second too, so that a seat's new holder is not taken for the former.
func (a *appliance) mint(appointment, seat string) (credential.Credential, error) {
	lifetime := a.lifetime.now()
	if seat == credential.Test {
		lifetime = min(lifetime, credential.TestLifetime)
	}
	expires := time.Now().Add(lifetime)
	if revoked := a.relay.Revoked(appointment, seat); !expires.Truncate(time.Second).After(revoked) {
		expires = revoked.Add(time.Second)
	}
	return a.keys.Mint(appointment, seat, expires)
}

// ICEServers is signaling's view of the relay.
func (a *appliance) ICEServers(appointment, seat string) ([]protocol.ICEServer, time.Time, error) {
	c, err := a.mint(appointment, seat)
	return []protocol.ICEServer{{URLs: a.urls, Username: c.Username, Credential: c.Password}}, c.Expires, err
}

// Revoke is signaling's view of the relay.
func (a *appliance) Revoke(appointment, seat string, revoked time.Time) {
	a.relay.Revoke(appointment, seat, revoked.Add(a.lifetime.longest()))
}

// lifetime is that of credentials, and the longest that any has had. The zero value is
// none.
type lifetime struct{ present, most atomic.Int64 }

func (l *lifetime) now() time.Duration     { return time.Duration(l.present.Load()) }
func (l *lifetime) longest() time.Duration { return time.Duration(l.most.Load()) }

// set is called by one at a time.
func (l *lifetime) set(d time.Duration) {
	l.most.Store(max(l.most.Load(), int64(d)))
	l.present.Store(int64(d))
}
