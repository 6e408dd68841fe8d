package signal

import "net/netip"

// networkOf is what a client is limited under: an IPv4 address, or an IPv6 /64.
func networkOf(client netip.Addr) netip.Prefix {
	bits := 32
	if client.Is6() {
		bits = 64
	}
	prefix, _ := client.Prefix(bits)
	return prefix
}

// siteOf is what an IPv6 client is limited under as well: the holder of a /48 has 65,536
// networks. That of an IPv4 client is not valid.
func siteOf(client netip.Addr) netip.Prefix {
	if !client.Is6() {
		return netip.Prefix{}
	}
	site, _ := client.Prefix(48)
	return site
}
