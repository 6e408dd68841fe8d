package appliance

import (
	"net"
	"net/netip"
	"slices"
	"strconv"

	"praxisrelay/relay"
	"praxisrelay/signal/protocol"
)

// iceURLs are the ICE servers for a browser: one URL per transport, since it makes an allocation or
// two for each of them. UDP 443 is added if it is served, because some firewalls let through no
// other UDP (for HTTP/3).
func iceURLs(name string, a relay.Addresses) (urls []string) {
	for i, addr := range a.UDP {
		if i == 0 || addr.Port() == 443 {
			urls = append(urls, "turn:"+hostPort(name, addr.Port())+"?transport=udp")
		}
	}
	if len(a.TCP) > 0 {
		urls = append(urls, "turn:"+hostPort(name, a.TCP[0].Port())+"?transport=tcp")
	}
	return append(urls, "turns:"+hostPort(name, a.HTTPS.Port())+"?transport=tcp")
}

// turnPorts are the ports at which TURN is served, for checks of the ways to it.
func turnPorts(a relay.Addresses) protocol.Ports {
	ports := func(addrs ...netip.AddrPort) []uint16 {
		list := []uint16{}
		for _, addr := range addrs {
			if !slices.Contains(list, addr.Port()) {
				list = append(list, addr.Port())
			}
		}
		return list
	}
	return protocol.Ports{UDP: ports(a.UDP...), TCP: ports(a.TCP...),
		TLS: ports(append(slices.Clone(a.TLS), a.HTTPS)...)}
}

func hostPort(name string, port uint16) string {
	return net.JoinHostPort(name, strconv.Itoa(int(port)))
}
