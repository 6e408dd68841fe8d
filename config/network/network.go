// Package network says which network and which site a client is counted under: one rule
// for everything that is limited by where clients come from.
package network

import "net/netip"

// SiteFactor is how many times a network's share, or its rate, its whole site gets.
const SiteFactor = 10

// Of returns the network of a client: an IPv4 address, or the /64 of an IPv6 address,
// within which one host takes as many as it likes.
func Of(client netip.Addr) netip.Prefix {
	bits := 32
	if client.Is6() {
		bits = 64
	}
	prefix, _ := client.Prefix(bits)
	return prefix
}

// Site returns the /48 that an IPv6 client is counted under in addition: a site has
// thousands of networks. That of an IPv4 client is not valid.
func Site(client netip.Addr) netip.Prefix {
	if !client.Is6() {
		return netip.Prefix{}
	}
	site, _ := client.Prefix(48)
	return site
}
