package hostile

import "net/netip"

// Forbidden are addresses that no relay may reach unless its operator allows it, in every spelling.
// The paired relay reaches none at all. The policy's tests use the same list.
var Forbidden = []string{
	// IPv4
	"0.0.0.0", "0.0.0.1", "0.255.255.255",
	"10.0.0.0", "10.255.255.255",
	"100.64.0.0", "100.127.255.255",
	"127.0.0.1", "127.0.0.53", "127.255.255.255",
	"169.254.0.1", "169.254.169.254", "169.254.170.2",
	"172.16.0.1", "172.31.255.255",
	"192.0.0.1", "192.0.0.8", "192.0.0.9", "192.0.0.10", "192.0.0.170", "192.0.0.171",
	"192.0.2.1", "198.51.100.1", "203.0.113.255",
	"192.31.196.1", "192.52.193.1", "192.88.99.1", "192.175.48.42",
	"192.168.0.0", "192.168.1.1", "192.168.255.255",
	"198.18.0.0", "198.19.255.255",
	"224.0.0.1", "224.0.0.251", "232.1.1.1", "239.255.255.250",
	"240.0.0.0", "255.255.255.254", "255.255.255.255",
	// IPv6 without IPv4 inside
	"::", "::1",
	"100::1", "100:0:0:1::1",
	"2001:1::1", "2001:1::2", "2001:1::3", "2001:2::1", "2001:3::1", "2001:4:112::1", "2001:5::1",
	"2001:10::1", "2001:20::1", "2001:30::1", "2001:1ff:ffff::1",
	"2001:db8::1", "3fff::1", "3fff:fff:ffff::1",
	"2620:4f:8000::1", "5f00::1",
	"fc00::1", "fd00:ec2::254", "fdff::1", "fe80::1", "febf::1", "fec0::1",
	"ff02::1", "ff05::1:3", "ff0e::1",
	"200::1", "1fff::1", "4000::1", "8000::1",
	// IPv4-mapped; a public address too
	"::ffff:0.0.0.0", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:172.16.0.1", "::ffff:192.168.1.1",
	"::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "::ffff:100.64.0.1", "::ffff:224.0.0.1",
	"::ffff:255.255.255.255", "::ffff:1.2.3.4", "::ffff:9.9.9.9",
	// IPv4-compatible
	"::127.0.0.1", "::10.0.0.1", "::169.254.169.254", "::192.168.1.1", "::1.2.3.4", "::9.9.9.9", "::2",
	// IPv4-translated
	"::ffff:0:127.0.0.1", "::ffff:0:10.0.0.1", "::ffff:0:169.254.169.254", "::ffff:0:1.2.3.4",
	"::ffff:0:9.9.9.9",
	// NAT64
	"64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b::192.168.1.1",
	"64:ff9b::1.2.3.4", "64:ff9b::9.9.9.9",
	"64:ff9b:1:7f00:0:100::", "64:ff9b:1:a00:0:100::", "64:ff9b:1:a9fe:a9:fe00::", "64:ff9b:1:102:3:400::",
	"64:ff9b:1:a9:fe:a9fe::", "64:ff9b:1:ff:a9:fea9:fe00:0",
	"64:ff9b:1::127.0.0.1", "64:ff9b:1::169.254.169.254", "64:ff9b:1:fffe::1.2.3.4",
	"64:ff9b:1:909:9:909:909:909",
	// 6to4
	"2002:7f00:1::1", "2002:a00:1::1", "2002:a9fe:a9fe::1", "2002:c0a8:101::1", "2002:6440:1::",
	"2002:102:304::1",
	"2002:909:909::1",
	// Teredo: by the server, by the client, both public
	"2001:0:7f00:1::f6f6:f6f6", "2001:0:a9fe:a9fe:0:1234:f6f6:f6f6", "2001:0:102:304:0:1234:f6f6:f6f6",
	"2001:0:909:909:0:1234:80ff:fffe", "2001:0:909:909:0:1234:5601:5601", "2001:0:909:909:0:1234:3f57:fefe",
	"2001:0:909:909:0:1234:fefd:fcfb", "2001:0:909:909:0:1234:f6f6:f6f6",
	// ISATAP, in a public prefix
	"2606:4700::5efe:127.0.0.1", "2606:4700::5efe:10.0.0.1", "2606:4700::5efe:169.254.169.254",
	"2606:4700::5efe:192.168.1.1", "2606:4700::5efe:0.0.0.0",
	"2606:4700::200:5efe:127.0.0.1", "2606:4700::200:5efe:169.254.169.254",
	"2606:4700::200:5efe:224.0.0.1", "2606:4700::200:5efe:255.255.255.255", "fe80::5efe:9.9.9.9",
}

// Spellings returns every IPv6 spelling of an IPv4 address that something on the way may translate
// back: mapped, compatible, translated, NAT64 with every prefix length of RFC 6052 (section 2.2),
// 6to4, Teredo by server and by client, and ISATAP.
func Spellings(addr netip.Addr) (list []netip.Addr) {
	if !addr.Is4() {
		return nil
	}
	a := addr.As4()
	spell := func(prefix string, octets map[int]byte) {
		b := netip.MustParseAddr(prefix).As16()
		for i, octet := range octets {
			b[i] = octet
		}
		list = append(list, netip.AddrFrom16(b))
	}
	at := func(i, j, k, l int) map[int]byte { return map[int]byte{i: a[0], j: a[1], k: a[2], l: a[3]} }
	last := at(12, 13, 14, 15)
	for _, prefix := range []string{
		"::ffff:0:0", "::", "::ffff:0:0:0", "64:ff9b::", "64:ff9b:1::",
		"2606:4700::5efe:0:0", "2606:4700::200:5efe:0:0",
	} {
		spell(prefix, last)
	}
	spell("64:ff9b:1::", at(6, 7, 9, 10))
	spell("64:ff9b:1::", at(7, 9, 10, 11))
	spell("64:ff9b:1::", at(9, 10, 11, 12))
	spell("2002::1", at(2, 3, 4, 5))
	spell("2001:0:0:0:0:1234:f6f6:f6f6", at(4, 5, 6, 7))
	spell("2001:0:909:909:0:1234::", map[int]byte{12: ^a[0], 13: ^a[1], 14: ^a[2], 15: ^a[3]})
	return list
}
