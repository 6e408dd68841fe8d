// Package network defines the network and the site under which a client is counted: one rule for
// everything that is limited by where clients come from.
package network

import "net/netip"

// SiteFactor is the limit or rate of a site, in multiples of that of a network.
const SiteFactor = 10

// Of returns the network of a client: an IPv4 address, or the /64 of an IPv6 address, within which
// one host takes as many addresses as it likes.
func Of(client netip.Addr) netip.Prefix {
	bits := 32
	if client.Is6() {
		bits = 64
	}
	prefix, _ := client.Prefix(bits)
	return prefix
}

// Site returns the /48 under which an IPv6 client is counted in addition: a site has thousands of
// networks. For an IPv4 client it is invalid.
func Site(client netip.Addr) netip.Prefix {
	if !client.Is6() {
		return netip.Prefix{}
	}
	site, _ := client.Prefix(48)
	return site
}
