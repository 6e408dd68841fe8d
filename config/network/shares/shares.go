// Package shares limits each network to its share of something scarce, such as connections.
package shares

import (
	"net/netip"
	"sync"

	"praxisrelay/config/network"
)

// Shares counts what is open: in total, per network and per site. It has an entry for each network
// and site with something open, so its own limits bound its size.
//
// Neither a network nor a site gets more than is still free for others, so that those who open as
// many as they can leave room for those who want a few.
type Shares struct {
	mu                 sync.Mutex
	max, maxPerNetwork int
	open               int
	held               map[netip.Prefix]int
	refused            Refused
}

// Refused counts refusals because of the total, or because of one network or site.
type Refused struct {
	All, Network uint64
	Last         netip.Addr // last refused
}

// New returns Shares with nothing open.
func New(max, maxPerNetwork int) *Shares {
	return &Shares{max: max, maxPerNetwork: maxPerNetwork, held: map[netip.Prefix]int{}}
}

// Limit changes the limits for later calls of Admit.
func (s *Shares) Limit(max, maxPerNetwork int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.max, s.maxPerNetwork = max, maxPerNetwork
}

// Admit counts one more from an address, unless there are too many. release takes it back; later
// calls of release have no effect.
func (s *Shares) Admit(client netip.Addr) (release func(), ok bool) {
	own, site := network.Of(client), network.Site(client)
	s.mu.Lock()
	defer s.mu.Unlock()
	held, ofSite, free := s.held[own], s.held[site], s.max-s.open
	switch {
	case held >= s.maxPerNetwork, ofSite >= network.SiteFactor*s.maxPerNetwork,
		held < free && ofSite >= free:
		s.refused.Network++
		s.refused.Last = client
		return nil, false
	case held >= free:
		s.refused.All++
		s.refused.Last = client
		return nil, false
	}
	s.count(own, 1)
	s.count(site, 1)
	s.open++
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.count(own, -1)
		s.count(site, -1)
		s.open--
	}), true
}

// count adds to what a network or a site holds.
func (s *Shares) count(prefix netip.Prefix, n int) {
	if !prefix.IsValid() {
		return
	}
	if s.held[prefix] += n; s.held[prefix] == 0 {
		delete(s.held, prefix)
	}
}

// Refused returns the refusals since the start.
func (s *Shares) Refused() Refused {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// Use returns how many are open, and the limit.
func (s *Shares) Use() (open, max int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open, s.max
}
