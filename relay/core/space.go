package core

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"time"
)

// space is a set of relayed addresses that can reach each other: those of one appointment in the
// paired relay, all of them in the open one.
type space struct {
	relayed map[netip.AddrPort]*allocation
	towards map[netip.AddrPort][]*channel // peer -> the channels bound to it
	// released are recently held addresses, oldest first.
	released []release
	// exhausted is the time until which an IP address is not searched for a free port again: a
	// search that finds none has tried them all.
	exhausted map[netip.Addr]time.Time
}

type release struct {
	addr  netip.AddrPort
	until time.Time
}

// releasedFor is how long a released address is not reused while others are free: a client's
// channel may still point to it. At most maxReleased are remembered, however fast clients allocate
// and release.
const (
	releasedFor = channelLifetime + time.Minute
	maxReleased = 64
)

// Relayed ports of the paired relay are the dynamic ports that RFC 8656 recommends (section 7.2).
const (
	firstPort = 49152
	lastPort  = 65535
)

func newSpace() *space {
	return &space{
		relayed:   map[netip.AddrPort]*allocation{},
		towards:   map[netip.AddrPort][]*channel{},
		exhausted: map[netip.Addr]time.Time{},
	}
}

// freeAddress finds a free relayed address. It tries every port once, from a random start, and
// recently released ones only if there is no other. bind has the last word; see Open.
func (s *space) freeAddress(
	now time.Time, ip netip.Addr, first, last uint16, even bool, bind func(netip.AddrPort) error,
) (netip.AddrPort, bool) {
	if now.Before(s.exhausted[ip]) {
		return netip.AddrPort{}, false
	}
	for len(s.released) > 0 && !now.Before(s.released[0].until) {
		s.released = s.released[1:]
	}
	var random [4]byte
	rand.Read(random[:])
	count := uint32(last) - uint32(first) + 1
	start := binary.BigEndian.Uint32(random[:]) % count
	for _, lately := range []bool{false, true} {
		for i := range count {
			addr := netip.AddrPortFrom(ip, uint16(uint32(first)+(start+i)%count))
			if even && addr.Port()%2 != 0 || s.relayed[addr] != nil || s.lately(addr) != lately {
				continue
			}
			switch err := bind(addr); {
			case err == nil:
				return addr, true
			case !errors.Is(err, ErrTaken):
				return netip.AddrPort{}, false
			}
		}
		if len(s.released) == 0 {
			break
		}
	}
	if !even {
		s.exhausted[ip] = now.Add(time.Second)
	}
	return netip.AddrPort{}, false
}

func (s *space) lately(addr netip.AddrPort) bool {
	return slices.ContainsFunc(s.released, func(r release) bool { return r.addr == addr })
}

// release frees an address.
func (s *space) release(addr netip.AddrPort, now time.Time) {
	delete(s.relayed, addr)
	delete(s.exhausted, addr.Addr())
	if len(s.released) == maxReleased {
		s.released = slices.Delete(s.released, 0, 1)
	}
	s.released = append(s.released, release{addr, now.Add(releasedFor)})
}

// bound and unbound maintain towards.
func (s *space) bound(ch *channel) { s.towards[ch.peer] = append(s.towards[ch.peer], ch) }

func (s *space) unbound(ch *channel) {
	left := slices.DeleteFunc(s.towards[ch.peer], func(other *channel) bool { return other == ch })
	if len(left) == 0 {
		delete(s.towards, ch.peer)
		return
	}
	s.towards[ch.peer] = left
}
