package core

import (
	"encoding/binary"
	"net/netip"

	"github.com/pion/stun/v3"
)

// binding answers a STUN Binding request (RFC 8489, section 12) and, on listeners that have
// alternates, the tests of RFC 5780 (section 6).
func (c *Core) binding(from FiveTuple) (FiveTuple, []byte) {
	r := &c.request
	var other *alternate
	if from.Transport == UDP && int(from.Listener) < len(c.alternates) {
		other = c.alternates[from.Listener]
	}
	if other == nil {
		r.unknown = append(r.unknown, r.discovery...)
	}
	if r.id != c.own && !c.affordable(from, nil) {
		return from, nil
	}
	if len(r.unknown) > 0 {
		return from, c.fail(from, errUnknownAttribute)
	}
	if r.malformed {
		return from, c.fail(from, errBadRequest)
	}
	c.begin(stun.ClassSuccessResponse)
	c.addAddress(stun.AttrXORMappedAddress, from.Client)
	if other == nil {
		return from, c.finish(from)
	}
	to := from
	origin := other.listeners[r.change]
	to.Listener, to.Server = origin.index, origin.addr
	if r.responsePort != 0 {
		to.Client = netip.AddrPortFrom(from.Client.Addr(), r.responsePort)
	}
	// Both are left out if the answer would grow too large. RESPONSE-ORIGIN repeats the packet's
	// source.
	c.addIfFits(from, stun.AttrOtherAddress, other.listeners[changeIP|changePort].addr)
	c.addIfFits(from, stun.AttrResponseOrigin, origin.addr)
	return to, c.finish(from)
}

// The flags of CHANGE-REQUEST (RFC 5780, section 7.2), shifted so that the lowest is bit 0.
const (
	changePort = 1 << iota
	changeIP
)

// alternate maps each combination of the flags to the listener that answers. Without flags that is
// the listener itself.
type alternate struct {
	listeners [4]struct {
		index uint16
		addr  netip.AddrPort
	}
}

// alternates finds the listeners that form two IP addresses with the same two ports. It returns nil
// for the others.
func alternates(listeners []netip.AddrPort) []*alternate {
	all := make([]*alternate, len(listeners))
	for i, one := range listeners {
		for _, opposite := range listeners {
			a := opposite.Addr()
			if one.Addr().IsUnspecified() || a.IsUnspecified() || a.Is4() != one.Addr().Is4() ||
				a == one.Addr() || opposite.Port() == one.Port() {
				continue
			}
			found := new(alternate)
			complete := true
			for flags := range found.listeners {
				want := one
				if flags&changeIP != 0 {
					want = netip.AddrPortFrom(a, want.Port())
				}
				if flags&changePort != 0 {
					want = netip.AddrPortFrom(want.Addr(), opposite.Port())
				}
				index := -1
				for j, l := range listeners {
					if l == want {
						index = j
					}
				}
				complete = complete && index >= 0
				found.listeners[flags].index, found.listeners[flags].addr = uint16(max(index, 0)), want
			}
			if complete && all[i] == nil {
				all[i] = found
			}
		}
	}
	return all
}

// addIfFits adds an address attribute without XOR if the answer stays small enough.
func (c *Core) addIfFits(from FiveTuple, kind stun.AttrType, addr netip.AddrPort) {
	family := byte(familyIPv6)
	if addr.Addr().Is4() {
		family = familyIPv4
	}
	value := binary.BigEndian.AppendUint16([]byte{0, family}, addr.Port())
	value = append(value, addr.Addr().AsSlice()...)
	more := attributeHeader + len(value)
	if c.request.fingerprint {
		more += attributeHeader + 4
	}
	if c.fits(from, more) {
		c.answer.Add(kind, value)
	}
}
