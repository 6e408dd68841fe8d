package policy

import (
	"encoding/hex"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"praxisrelay/relay/policy/policytest"
)

// permitted are internet addresses, where possible adjacent to a forbidden one.
var permitted = []string{
	"1.1.1.1", "9.9.9.9", "8.8.8.8", "1.0.0.0", "1.2.3.3", "1.2.3.5", "9.255.255.255", "11.0.0.0",
	"100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0",
	"172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0", "192.0.3.0", "192.31.195.255",
	"192.31.197.0",
	"192.52.192.255", "192.52.194.0", "192.88.98.255", "192.88.100.0", "192.167.255.255", "192.169.0.0",
	"192.175.47.255", "192.175.49.0", "198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0",
	"203.0.112.255", "203.0.114.0", "223.255.255.255",
	"2606:4700::1111", "2a00:1450::1", "2000::1", "2001:200::", "2001:db7:ffff::", "2001:db9::", "2003::",
	"2620:4f:7fff::", "2620:4f:8001::", "3ffe:ffff::", "3fff:1000::", "2606:4700::4", "2606:4700::6",
	"2606:4700::5efe:9.9.9.9", "2606:4700::200:5efe:9.9.9.9", "2606:4700::5eff:10.0.0.1",
	"2606:4700::100:5efe:10.0.0.1", "2606:4700::1:5efe:10.0.0.1",
}

func TestInternetOnly(t *testing.T) {
	p := &Policy{Own: policytest.Own}
	for _, text := range policytest.Forbidden {
		if p.Permits(at(text)) {
			t.Errorf("%s is reached", text)
		}
	}
	for _, text := range permitted {
		if !p.Permits(at(text)) {
			t.Errorf("%s is not reached", text)
		}
	}
}

func TestPermitsJudgesTheFormToo(t *testing.T) {
	p := &Policy{Allow: everything}
	for _, peer := range []netip.Addr{
		{}, at("0.0.0.0"), at("::"), at("::ffff:0.0.0.0"),
		at("fe80::1%eth0"), at("2606:4700::1111%1"), at("::ffff:9.9.9.9%1"),
	} {
		if p.Permits(peer) {
			t.Errorf("%v is reached", peer)
		}
	}
}

func TestAllowDenyOwn(t *testing.T) {
	const lan, host, host6 = "10.0.0.0/8", "1.2.3.4/32", "2606:4700::5/128"
	for _, c := range []struct {
		allow, deny string
		peer        string
		want        bool
	}{
		{lan, "", "10.1.2.3", true},
		{lan, "", "11.1.2.3", true},
		{lan, "", "192.168.1.1", false},
		{lan, "10.1.0.0/16", "10.1.2.3", false},
		{lan, "10.1.0.0/16", "10.2.2.3", true},
		{"10.1.2.3/32", lan, "10.1.2.3", false},
		{"", "9.9.9.0/24", "9.9.9.9", false},
		{"", "9.9.9.0/24", "2606:4700::5efe:9.9.9.9", false},
		{"", "2606:4700::/32", "2606:4700::1111", false},
		{"", "::/0", "9.9.9.9", true},
		{"", "0.0.0.0/0", "2606:4700::1111", true},
		{"127.0.0.1/32", "", "127.0.0.1", true},
		{"::1/128", "", "::1", true},
		{"::1/128", "", "::2", false},
		{"fc00::/7", "", "fd00::1", true},

		// An encoding must be allowed twice: the outer address and the one it carries.
		{"::ffff:0:0/96", "", "::ffff:9.9.9.9", true},
		{"::ffff:0:0/96", "", "::ffff:10.0.0.1", false},
		{lan, "", "::ffff:10.0.0.1", false},
		{lan + " ::ffff:0:0/96", "", "::ffff:10.0.0.1", true},
		{"::/0", "9.9.9.9/32", "::ffff:9.9.9.9", false},
		{"64:ff9b::/96", "", "64:ff9b::9.9.9.9", true},
		{"64:ff9b::/96", "", "64:ff9b::10.0.0.1", false},
		{"64:ff9b::/96 " + lan, "", "64:ff9b::10.0.0.1", true},
		{"64:ff9b::/96 " + lan, "10.0.0.1/32", "64:ff9b::10.0.0.1", false},
		{"64:ff9b:1::/48", "", "64:ff9b:1:909:9:909:909:909", true},
		{"64:ff9b:1::/48", "", "64:ff9b:1:909:9:909:9:909", false}, // 9.9.0.9 and 0.9.9.9
		{"64:ff9b:1::/48", "", "64:ff9b:1:fffe::9.9.9.9", false},
		{"64:ff9b:1:fffe::/96 255.254.0.0/32 254.0.0.0/32 0.0.0.9/32", "", "64:ff9b:1:fffe::9.9.9.9", true},
		{"2002::/16", "", "2002:909:909::1", true},
		{"2002::/16", "", "2002:a00:1::1", false},
		{"2002::/16", "", "2002:909:909::5efe:10.0.0.1", false},
		{"2001::/32", "", "2001:0:909:909:0:1234:f6f6:f6f6", true},
		{"2001::/32", "", "2001:0:a00:1:0:1234:f6f6:f6f6", false},
		{"2001::/32", "", "2001:0:909:909:0:1234:f5ff:fffe", false},
		{"2001::/32", "", "2001:0:909:909::5efe:9.9.9.9", false}, // the client is 246.246.246.246

		// Only its exact address lets a client reach this host.
		{"1.2.3.0/24", "", "1.2.3.4", false},
		{"1.2.3.0/24", "", "1.2.3.5", true},
		{host, "", "1.2.3.4", true},
		{host, "1.2.3.0/24", "1.2.3.4", false},
		{host, "", "::ffff:1.2.3.4", false},
		{host + " ::ffff:0:0/96", "", "::ffff:1.2.3.4", true},
		{"::ffff:1.2.3.4/128", "", "::ffff:1.2.3.4", false},
		{host, "", "2606:4700::5efe:1.2.3.4", true},
		{"2606:4700::/32", "", "2606:4700::5", false},
		{host6, "", "2606:4700::5", true},
		{host6, "", "1.2.3.4", false},
		{"127.0.0.0/8", "", "127.0.0.2", false}, // although no interface has it
		{"127.0.0.2/32", "", "127.0.0.2", true},
		{"127.0.0.2/32", "", "127.0.0.3", false},
	} {
		p := &Policy{Allow: list(c.allow), Deny: list(c.deny), Own: policytest.Own}
		if got := p.Permits(at(c.peer)); got != c.want {
			t.Errorf("allow %q, deny %q: %s: %v", c.allow, c.deny, c.peer, got)
		}
	}
	for _, text := range []string{"::ffff:9.9.9.9", "9.9.9.9"} {
		p := &Policy{Own: []netip.Addr{netip.MustParseAddr(text)}}
		if p.Permits(at("9.9.9.9")) {
			t.Errorf("own as %s is reached", text)
		}
	}
	linkLocal := &Policy{Allow: everything, Own: []netip.Addr{{}, netip.MustParseAddr("fe80::1%eth0")}}
	if linkLocal.Permits(at("fe80::1")) || !linkLocal.Permits(at("fe80::2")) {
		t.Error("the zone of an own address hides it")
	}
}

// TestNoEncodingPassesOwnAndDeny even if the operator allows everything.
func TestNoEncodingPassesOwnAndDeny(t *testing.T) {
	v4 := netip.MustParseAddr("1.2.3.4")
	for _, peer := range encodings(v4.As4(), [16]byte{}) {
		if !(&Policy{Allow: everything}).Permits(peer) {
			t.Errorf("%v is not reached", peer)
		}
		if (&Policy{Allow: everything, Own: policytest.Own}).Permits(peer) {
			t.Errorf("%v is own and reached", peer)
		}
		if (&Policy{Allow: everything, Deny: list("1.2.3.0/24")}).Permits(peer) {
			t.Errorf("%v is denied and reached", peer)
		}
	}
}

func TestPermitsDoesNotAllocate(t *testing.T) {
	p := &Policy{Allow: list("64:ff9b:1::/48 0.0.0.0/0"), Deny: list("10.0.0.0/8"), Own: policytest.Own}
	for _, text := range []string{"9.9.9.9", "2606:4700::1111", "::ffff:10.0.0.1", "64:ff9b:1:909:0:5efe:909:909"} {
		peer := at(text)
		if n := testing.AllocsPerRun(100, func() { p.Permits(peer) }); n != 0 {
			t.Errorf("%s costs %v allocations", text, n)
		}
	}
}

// FuzzPermits compares Permits with an oracle that finds IPv4 addresses in the hexadecimal digits
// and knows only what netip reports about them.
func FuzzPermits(f *testing.F) {
	for _, text := range append(permitted, policytest.Forbidden...) {
		f.Add(at(text).AsSlice())
	}
	f.Fuzz(func(t *testing.T, ip []byte) {
		peer, ok := netip.AddrFromSlice(ip)
		if !ok {
			return // not an address, so nothing to judge
		}
		if (&Policy{}).Permits(peer) {
			if peer.Is4In6() {
				t.Fatalf("%v is reached", peer)
			}
			for _, layer := range append(carried(peer), peer) {
				if internal(layer) {
					t.Fatalf("%v is reached and carries %v", peer, layer)
				}
				single := netip.PrefixFrom(layer, layer.BitLen())
				if (&Policy{Allow: everything, Deny: []netip.Prefix{single}}).Permits(peer) {
					t.Fatalf("%v is reached and carries %v, which is denied", peer, layer)
				}
				if (&Policy{Allow: everything, Own: []netip.Addr{layer}}).Permits(peer) {
					t.Fatalf("%v is reached and carries %v, which is own", peer, layer)
				}
			}
		}

		// The last bytes in every encoding, with the others around them.
		v4 := [4]byte(ip[len(ip)-4:])
		inner := netip.AddrFrom4(v4)
		for _, outer := range encodings(v4, peer.As16()) {
			if outer.IsLoopback() {
				continue // ::1 is not a spelling of 0.0.0.1
			}
			if internal(inner) && (&Policy{}).Permits(outer) {
				t.Fatalf("%v is reached and carries %v", outer, inner)
			}
			if (&Policy{Allow: everything, Own: []netip.Addr{inner}}).Permits(outer) {
				t.Fatalf("%v is reached and carries %v, which is own", outer, inner)
			}
		}
	})
}

// internal is an independent, incomplete definition of what must never be reached.
func internal(addr netip.Addr) bool {
	return addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast() || addr.IsMulticast() ||
		addr.IsUnspecified() || !addr.IsGlobalUnicast()
}

// carriers find IPv4 addresses among the 32 digits of an IPv6 address.
var carriers = []*regexp.Regexp{
	regexp.MustCompile(`^0{20}ffff(.{8})$`),
	regexp.MustCompile(`^0{24}(.{8})$`),
	regexp.MustCompile(`^0{16}ffff0000(.{8})$`),
	regexp.MustCompile(`^0064ff9b0{16}(.{8})$`),
	regexp.MustCompile(`^0064ff9b0001(.{4})..(.{4})`),
	regexp.MustCompile(`^0064ff9b0001..(.{2})..(.{6})`),
	regexp.MustCompile(`^0064ff9b0001.{6}(.{8})`),
	regexp.MustCompile(`^0064ff9b0001.*(.{8})$`),
	regexp.MustCompile(`^2002(.{8})`),
	regexp.MustCompile(`^20010000(.{8})`),
	regexp.MustCompile(`^.{16}0[02]005efe(.{8})$`),
}

var teredoClient = regexp.MustCompile(`^20010000.*(.{8})$`)

func carried(addr netip.Addr) []netip.Addr {
	if addr.Is4() {
		return nil
	}
	var found []netip.Addr
	digits := strings.ReplaceAll(netip.AddrFrom16(addr.As16()).StringExpanded(), ":", "")
	if addr.Is4In6() { // netip writes it in another form
		b := addr.As16()
		digits = hex.EncodeToString(b[:])
	}
	for _, carrier := range carriers {
		if match := carrier.FindStringSubmatch(digits); match != nil {
			found = append(found, fromHex(strings.Join(match[1:], "")))
		}
	}
	if match := teredoClient.FindStringSubmatch(digits); match != nil {
		b := fromHex(match[1]).As4()
		found = append(found, netip.AddrFrom4([4]byte{255 - b[0], 255 - b[1], 255 - b[2], 255 - b[3]}))
	}
	return found
}

func fromHex(digits string) netip.Addr {
	b, err := hex.DecodeString(digits)
	if err != nil {
		panic(err)
	}
	return netip.AddrFrom4([4]byte(b))
}

// encodings returns every IPv6 address that carries v4, with fill in the unused bits.
func encodings(v4 [4]byte, fill [16]byte) []netip.Addr {
	write := hex.EncodeToString
	a := write(v4[:])
	inverted := write([]byte{255 - v4[0], 255 - v4[1], 255 - v4[2], 255 - v4[3]})
	x := write(fill[:])
	var all []netip.Addr
	for _, digits := range []string{
		"00000000000000000000ffff" + a,
		"000000000000000000000000" + a,
		"0000000000000000ffff0000" + a,
		"0064ff9b0000000000000000" + a,
		"0064ff9b0001" + a[:4] + x[:2] + a[4:] + x[:10],
		"0064ff9b0001" + x[:2] + a[:2] + x[:2] + a[2:] + x[:8],
		"0064ff9b0001" + x[:6] + a + x[:6],
		"0064ff9b0001" + x[:12] + a,
		"2002" + a + x[:20],
		"20010000" + a + x[:16],
		"20010000" + x[:16] + inverted,
		x[:16] + "00005efe" + a,
		x[:16] + "02005efe" + a,
		"2606470000000000" + "00005efe" + a,
		"2606470000000000" + "02005efe" + a,
	} {
		b, err := hex.DecodeString(digits)
		if err != nil || len(b) != 16 {
			panic(digits)
		}
		all = append(all, netip.AddrFrom16([16]byte(b)))
	}
	return all
}

var everything = list("0.0.0.0/0 ::/0")

func list(texts string) []netip.Prefix { return prefixes(strings.Fields(texts)...) }

func at(addr string) netip.Addr { return netip.MustParseAddr(addr) }
