package firewall

import (
	"fmt"
	"io"
	"net/netip"
	"strings"

	"praxisrelay/config/lang"
)

// rule is a row for packet filters: for one address family, or both.
type rule struct {
	Row
	family       string // "4", "6", or empty: both
	sources      []string
	destinations []string
}

// rules returns a table's rows for packet filters.
func (p Plan) rules(t Table) (rules []rule) {
	for _, row := range p.Table(t) {
		if row.Source.any() && row.Destination.any() {
			rules = append(rules, rule{Row: row})
			continue
		}
		for _, family := range []string{"4", "6"} {
			r := rule{row, family, row.Source.of(family), row.Destination.of(family)}
			if (row.Source.any() || len(r.sources) > 0) &&
				(row.Destination.any() || len(r.destinations) > 0) {
				rules = append(rules, r)
			}
		}
	}
	return rules
}

func (e Endpoint) any() bool { return len(e.Addresses) == 0 && len(e.Networks) == 0 }

// of returns an endpoint's addresses and networks in a family.
func (e Endpoint) of(family string) (list []string) {
	is := func(addr netip.Addr) bool { return addr.Is4() == (family == "4") }
	for _, addr := range e.Addresses {
		if is(addr) {
			list = append(list, addr.String())
		}
	}
	for _, network := range e.Networks {
		if is(network.Addr()) {
			list = append(list, network.Masked().String())
		}
	}
	return list
}

// remarks writes the comment at the top of a machine-readable file: for whom it is, what it does
// and how to load it.
func (p Plan) remarks(w io.Writer, l lang.Language, lines ...text) {
	fmt.Fprintf(w, "# %s. %s\n", p.title(l), p.asOf(l))
	for _, line := range lines {
		fmt.Fprintf(w, "# %s\n", strings.ReplaceAll(line.In(l), "\n", "\n# "))
	}
}
