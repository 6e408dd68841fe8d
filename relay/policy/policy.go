// Package policy decides which addresses a client of the open relay may reach.
//
// Every authenticated client can make a TURN server send from inside its network. Filters against
// that have been bypassed repeatedly with other spellings of the same address (CVE-2020-26262,
// CVE-2026-27624), so each address is judged together with every IPv4 address that it carries.
package policy

import (
	"net/netip"
	"slices"
)

// MinPort is the lowest port of a peer: below are services, never a client's media.
const MinPort = 1024

// Policy decides which peers the open relay reaches. Without Allow these are the public addresses
// of the internet except Own, the addresses of this host: what listens here may trust connections
// from here. An operator's own NAT64 prefix (RFC 6052, section 2.1) looks like any other address
// and belongs in Deny.
type Policy struct {
	Allow, Deny []netip.Prefix
	Own         []netip.Addr
}

// Permits reports whether an address may be reached, on ports from MinPort up. It does not
// allocate.
func (p *Policy) Permits(addr netip.Addr) bool {
	// Sent to the unspecified address in either spelling, a packet ends up on this host.
	if !addr.IsValid() || addr.Zone() != "" || addr.Unmap().IsUnspecified() {
		return false
	}
	var space [maxLayers]netip.Addr
	for _, layer := range appendLayers(space[:0], addr) {
		if within(p.Deny, layer) || p.guards(layer) || !public(layer) && !within(p.Allow, layer) {
			return false
		}
	}
	return true
}

// guards reports whether addr is loopback or one of Own, and not named by Allow. A wider prefix in
// Allow is not enough: an operator who allows a network hardly means this host in it.
func (p *Policy) guards(addr netip.Addr) bool {
	addr = addr.Unmap()
	own := addr.IsLoopback() || slices.ContainsFunc(p.Own, func(own netip.Addr) bool {
		return own.Unmap().WithZone("") == addr
	})
	return own && !slices.Contains(p.Allow, netip.PrefixFrom(addr, addr.BitLen()))
}

// maxLayers is the count for an address of nat64Local: itself, four lengths, ISATAP.
const maxLayers = 6

var (
	mapped     = netip.MustParsePrefix("::ffff:0:0/96")   // RFC 4291, section 2.5.5.2
	compatible = netip.MustParsePrefix("::/96")           // RFC 4291, section 2.5.5.1
	translated = netip.MustParsePrefix("::ffff:0:0:0/96") // SIIT: RFC 2765, section 2.1
	nat64      = netip.MustParsePrefix("64:ff9b::/96")    // RFC 6052, section 2.1
	nat64Local = netip.MustParsePrefix("64:ff9b:1::/48")  // RFC 8215
	sixToFour  = netip.MustParsePrefix("2002::/16")       // RFC 3056, section 2
	teredo     = netip.MustParsePrefix("2001::/32")       // RFC 4380, section 4
)

// appendLayers appends addr and every IPv4 address that it carries.
func appendLayers(layers []netip.Addr, addr netip.Addr) []netip.Addr {
	layers = append(layers, addr)
	if addr.Is4() {
		return layers
	}
	b := addr.As16()
	take := func(i, j, k, l int) {
		layers = append(layers, netip.AddrFrom4([4]byte{b[i], b[j], b[k], b[l]}))
	}
	switch {
	case addr.IsLoopback(): // in ::/96, but not an IPv4 address
	case mapped.Contains(addr), compatible.Contains(addr), translated.Contains(addr), nat64.Contains(addr):
		take(12, 13, 14, 15)
	case nat64Local.Contains(addr):
		// The length of the translator's prefix is unknown, hence each length of RFC 6052, section
		// 2.2. Octet 8 is never part of the address.
		take(6, 7, 9, 10)
		take(7, 9, 10, 11)
		take(9, 10, 11, 12)
		take(12, 13, 14, 15)
	case sixToFour.Contains(addr):
		take(2, 3, 4, 5)
	case teredo.Contains(addr):
		take(4, 5, 6, 7) // the server
		layers = append(layers, netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]}))
	}
	// ISATAP works in any prefix; the bit 0x02 marks a global IPv4 address, or claims to (RFC 5214,
	// section 6.1).
	if b[8]&^0x02 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe {
		take(12, 13, 14, 15)
	}
	return layers
}

// public reports whether addr is an ordinary unicast address of the internet. A
// spelling of an IPv4 address never is, whichever address it spells.
func public(addr netip.Addr) bool {
	if addr.Is4() {
		return !within(special4, addr)
	}
	return global6.Contains(addr) && !within(special6, addr)
}

// within respects address families: no IPv4 prefix contains a mapped address.
func within(prefixes []netip.Prefix, addr netip.Addr) bool {
	for _, prefix := range prefixes {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// special4 is the IANA IPv4 Special-Purpose Address Registry (RFC 6890, section 2.2.2), and
// multicast. It includes what the registry calls globally reachable: that is anycast to
// infrastructure, never a peer.
var special4 = prefixes(
	"0.0.0.0/8",       // this network
	"10.0.0.0/8",      // private
	"100.64.0.0/10",   // shared with the provider's NAT
	"127.0.0.0/8",     // loopback
	"169.254.0.0/16",  // link-local, cloud metadata
	"172.16.0.0/12",   // private
	"192.0.0.0/24",    // protocol assignments: DS-Lite, PCP and TURN anycast, NAT64 discovery
	"192.0.2.0/24",    // documentation
	"192.31.196.0/24", // AS112
	"192.52.193.0/24", // multicast tunneling (AMT)
	"192.88.99.0/24",  // 6to4 relays
	"192.168.0.0/16",  // private
	"192.175.48.0/24", // AS112, delegated directly
	"198.18.0.0/15",   // benchmarking
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"224.0.0.0/4",     // multicast
	"240.0.0.0/4",     // reserved, broadcast
)

// global6 is the space from which IANA assigns unicast addresses (RFC 4291, section 2.4).
var global6 = netip.MustParsePrefix("2000::/3")

// special6 is the part of the IANA IPv6 Special-Purpose Address Registry (RFC
// 6890, section 2.2.3) that lies in global6.
var special6 = prefixes(
	"2001::/23",         // protocol assignments: Teredo, anycast, benchmarking, AMT, AS112, ORCHID, drones
	"2001:db8::/32",     // documentation
	"2002::/16",         // 6to4
	"2620:4f:8000::/48", // AS112, delegated directly
	"3fff::/20",         // documentation
)

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}
