package core

import (
	"net/netip"
	"slices"
	"time"

	"github.com/pion/stun/v3"
)

// createPermission installs or refreshes permissions: all that were requested, or none (RFC 8656,
// section 10.2).
func (c *Core) createPermission(from FiveTuple, held *allocation) []byte {
	r := &c.request
	if len(r.peers) == 0 {
		return c.fail(from, errBadRequest)
	}
	for _, peer := range r.peers {
		if failure := c.judgeAddr(held, peer.Addr()); failure != nil {
			return c.fail(from, *failure)
		}
	}
	if !c.room(held, r.peers) {
		return c.refuse(from, LimitPeers, errCapacity)
	}
	for _, peer := range r.peers {
		c.permit(held, peer.Addr())
	}
	c.rerouteTowards(held.appointment.space, held.relayed)
	c.begin(stun.ClassSuccessResponse)
	return c.finish(from)
}

// permit installs a permission for a peer's address.
func (c *Core) permit(a *allocation, peer netip.Addr) {
	if a.permitted(peer).IsZero() && a.partnerAt(peer) {
		c.observe(Permitted, a, "")
	}
	until := c.now.Add(permissionLifetime)
	a.permit(peer, until)
	c.routeInbound(a, peer, until)
}

// judgeAddr decides whether an allocation may have a permission for an address. A permission covers
// every port (RFC 8656, sections 9 and 10.1), so the answer must not depend on the port: Firefox
// asks once per address, with whatever port comes first, and treats a refusal as final. judge
// decides where data may go.
func (c *Core) judgeAddr(a *allocation, peer netip.Addr) *failure {
	switch {
	case peer.Is4() != a.relayed.Addr().Is4():
		return &errFamilyMismatch
	case peer == c.config.RelayedIPv4 || peer == c.config.RelayedIPv6 || peer == a.relayed.Addr():
		return nil
	case c.config.Open != nil && c.config.Open.Permits(peer):
		return nil
	}
	return &errForbidden
}

// judge decides whether an allocation may send to a peer. In the paired relay, the peer must be a
// relayed address of the same appointment; a free address and one of another appointment get the
// same answer. The open relay also reaches peers that its policy permits.
func (c *Core) judge(a *allocation, peer netip.AddrPort) *failure {
	switch {
	case peer.Addr().Is4() != a.relayed.Addr().Is4():
		return &errFamilyMismatch
	case a.appointment.space.relayed[peer] != nil:
		return nil
	case c.config.Open != nil && peer.Port() >= c.config.Open.MinPeerPort &&
		c.config.Open.Permits(peer.Addr()):
		return nil
	}
	return &errForbidden
}

// room reports whether permissions for peers fit, after dropping expired ones.
func (c *Core) room(a *allocation, peers []netip.AddrPort) bool {
	a.permissions = slices.DeleteFunc(a.permissions, func(p permission) bool {
		over := !c.now.Before(p.until)
		if over {
			c.unrouteInbound(a, p.peer)
		}
		return over
	})
	more := 0
	for i, peer := range peers {
		known := func(p permission) bool { return p.peer == peer.Addr() }
		again := func(p netip.AddrPort) bool { return p.Addr() == peer.Addr() }
		if !slices.ContainsFunc(a.permissions, known) && !slices.ContainsFunc(peers[:i], again) {
			more++
		}
	}
	return len(a.permissions)+more <= maxPermissions
}

func (c *Core) permits(a *allocation, peer netip.Addr) bool {
	return c.now.Before(a.permitted(peer))
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
