package firewall

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"praxisrelay/config/lang"
)

// writeIPTables writes two chains for iptables-restore and ip6tables-restore: each skips the lines
// that are marked for the other. Accepted packets return to whatever else is in INPUT and OUTPUT,
// which stay unchanged.
func (p Plan) writeIPTables(w io.Writer, l lang.Language) error {
	out := bufio.NewWriter(w)
	p.remarks(out, l, texts.IPTables, texts.RuleSet)
	fmt.Fprint(out, `*filter
:PRAXISRELAY-IN - [0:0]
:PRAXISRELAY-OUT - [0:0]
-A PRAXISRELAY-IN -i lo -j RETURN
-A PRAXISRELAY-IN -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN
`)
	for _, name := range []string{"destination-unreachable", "echo-request", "time-exceeded", "parameter-problem"} {
		fmt.Fprintf(out, "-4 -A PRAXISRELAY-IN -p icmp --icmp-type %s -j RETURN\n", name)
	}
	// 130: multicast listener queries, which have no name in iptables.
	for _, name := range []string{"destination-unreachable", "packet-too-big", "time-exceeded", "parameter-problem",
		"echo-request", "130", "router-advertisement", "neighbour-solicitation", "neighbour-advertisement"} {
		fmt.Fprintf(out, "-6 -A PRAXISRELAY-IN -p ipv6-icmp --icmpv6-type %s -j RETURN\n", name)
	}
	fmt.Fprint(out, `-A PRAXISRELAY-IN -m conntrack --ctstate INVALID -j DROP
-4 -A PRAXISRELAY-IN -p udp --sport 67 --dport 68 -j RETURN -m comment --comment "DHCP"
-6 -A PRAXISRELAY-IN -s fe80::/10 -p udp --sport 547 --dport 546 -j RETURN -m comment --comment "DHCPv6"
`)
	writeIPTablesRules(out, "PRAXISRELAY-IN", p.rules(ApplianceIngress))
	fmt.Fprint(out, `-A PRAXISRELAY-IN -j DROP
-A PRAXISRELAY-OUT -o lo -j RETURN
-A PRAXISRELAY-OUT -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN
-4 -A PRAXISRELAY-OUT -p icmp -j RETURN
-6 -A PRAXISRELAY-OUT -p ipv6-icmp -j RETURN
-4 -A PRAXISRELAY-OUT -p udp --sport 68 --dport 67 -j RETURN -m comment --comment "DHCP"
-6 -A PRAXISRELAY-OUT -p udp --sport 546 --dport 547 -j RETURN -m comment --comment "DHCPv6"
`)
	writeIPTablesRules(out, "PRAXISRELAY-OUT", p.rules(ApplianceEgress))
	fmt.Fprint(out, "-A PRAXISRELAY-OUT -j DROP\nCOMMIT\n")
	return out.Flush()
}

func writeIPTablesRules(w io.Writer, chain string, rules []rule) {
	for _, r := range rules {
		if r.family != "" {
			fmt.Fprintf(w, "-%s ", r.family)
		}
		fmt.Fprintf(w, "-A %s", chain)
		if len(r.sources) > 0 {
			fmt.Fprintf(w, " -s %s", strings.Join(r.sources, ","))
		}
		if len(r.destinations) > 0 {
			fmt.Fprintf(w, " -d %s", strings.Join(r.destinations, ","))
		}
		fmt.Fprintf(w, " -p %s", r.Protocol)
		if r.SourcePorts.Last > 0 {
			fmt.Fprintf(w, " --sport %s", span(r.SourcePorts, ":"))
		}
		fmt.Fprintf(w, " --dport %s -j RETURN -m comment --comment %q\n", span(r.Ports, ":"), r.ID)
	}
}
