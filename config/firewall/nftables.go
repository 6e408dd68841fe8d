package firewall

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"praxisrelay/config/lang"
)

// writeNFTables writes a separate table, which leaves others unchanged. If there are others, they
// must accept the packets too.
func (p Plan) writeNFTables(w io.Writer, l lang.Language) error {
	out := bufio.NewWriter(w)
	p.remarks(out, l, texts.NFTables, texts.RuleSet)
	// Declared first, so that the first load has something to delete.
	fmt.Fprint(out, `table inet praxisrelay
delete table inet praxisrelay
table inet praxisrelay {
	chain input {
		type filter hook input priority filter; policy drop;
		iif "lo" accept
		icmp type { destination-unreachable, echo-request, time-exceeded, parameter-problem } accept
		icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem, echo-request, mld-listener-query, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept
		ct state established,related accept
		ct state invalid drop
		udp sport 67 udp dport 68 accept comment "DHCP"
		ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept comment "DHCPv6"
`)
	writeNFTablesRules(out, p.rules(ApplianceIngress))
	fmt.Fprint(out, `		counter drop
	}
	chain output {
		type filter hook output priority filter; policy drop;
		oif "lo" accept
		meta l4proto { icmp, ipv6-icmp } accept
		ct state established,related accept
		udp sport 68 udp dport 67 accept comment "DHCP"
		udp sport 546 udp dport 547 accept comment "DHCPv6"
`)
	writeNFTablesRules(out, p.rules(ApplianceEgress))
	fmt.Fprint(out, "\t\tcounter drop\n\t}\n}\n")
	return out.Flush()
}

func writeNFTablesRules(w io.Writer, rules []rule) {
	for _, r := range rules {
		fmt.Fprint(w, "\t\t")
		ip := map[string]string{"4": "ip", "6": "ip6"}[r.family]
		if len(r.sources) > 0 {
			fmt.Fprintf(w, "%s saddr { %s } ", ip, strings.Join(r.sources, ", "))
		}
		if len(r.destinations) > 0 {
			fmt.Fprintf(w, "%s daddr { %s } ", ip, strings.Join(r.destinations, ", "))
		}
		if r.SourcePorts.Last > 0 {
			fmt.Fprintf(w, "%s sport %s ", r.Protocol, span(r.SourcePorts, "-"))
		}
		fmt.Fprintf(w, "%s dport %s accept comment %q\n", r.Protocol, span(r.Ports, "-"), r.ID)
	}
}
