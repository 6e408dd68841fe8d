package core

import (
	"net/netip"
	"time"

	"github.com/pion/stun/v3"
)

// createPermission installs or refreshes permissions, all of those asked for or
// none (RFC 8656, section 10.2).
func (c *Core) createPermission(from FiveTuple, held *allocation) []byte {
	r := &c.request
	if len(r.peers) == 0 {
		return c.fail(from, errBadRequest)
	}
	for _, peer := range r.peers {
		if failure := held.judge(peer); failure != nil {
			return c.fail(from, *failure)
		}
	}
	if !held.room(c.now, r.peers) {
		return c.fail(from, errCapacity)
	}
	for _, peer := range r.peers {
		held.permissions[peer.Addr()] = c.now.Add(permissionLifetime)
	}
	c.rerouteTowards(held.appointment, held.relayed)
	c.begin(stun.ClassSuccessResponse)
	return c.finish(from)
}

// judge is the policy of the paired relay: a peer is reachable when it is a
// relayed address of the same appointment. One that nobody holds and one that
// another appointment holds are the same to it. Address and port are judged
// together, although a permission covers an address (section 2.3).
func (a *allocation) judge(peer netip.AddrPort) *failure {
	if peer.Addr().Is4() != a.relayed.Addr().Is4() {
		return &errFamilyMismatch
	}
	if a.appointment.relayed[peer] == nil {
		return &errForbidden
	}
	return nil
}

// room tells whether the permissions for peers fit, after dropping those that
// are over.
func (a *allocation) room(now time.Time, peers []netip.AddrPort) bool {
	for peer, until := range a.permissions {
		if !now.Before(until) {
			delete(a.permissions, peer)
		}
	}
	more := map[netip.Addr]bool{}
	for _, peer := range peers {
		if _, have := a.permissions[peer.Addr()]; !have {
			more[peer.Addr()] = true
		}
	}
	return len(a.permissions)+len(more) <= maxPermissions
}
