package firewall

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"praxisrelay/config/lang"
)

// formats are the output formats, in display order.
var formats = []struct {
	name  string
	write func(Plan, io.Writer, lang.Language) error
}{
	{"text", Plan.writeText},
	{"markdown", Plan.writeMarkdown},
	{"csv", Plan.writeCSV},
	{"json", Plan.writeJSON},
	{"html", Plan.writeHTML},
	{"nftables", Plan.writeNFTables},
	{"iptables", Plan.writeIPTables},
	{"firewalld", Plan.writeFirewalld},
	{"ufw", Plan.writeUFW},
}

// Formats returns the names of the formats.
func Formats() (names []string) {
	for _, f := range formats {
		names = append(names, f.name)
	}
	return names
}

// Write writes the plan in one of the formats.
func (p Plan) Write(w io.Writer, format string, l lang.Language) error {
	for _, f := range formats {
		if f.name == format {
			return f.write(p, w, l)
		}
	}
	return fmt.Errorf("format %q is unknown: use one of %s", format, strings.Join(Formats(), ", "))
}

func (p Plan) title(l lang.Language) string { return texts.Titled.In(l, p.Name) }

func (p Plan) asOf(l lang.Language) string {
	return label(texts.AsOf, l) + " " + p.AsOf.Format(time.DateOnly)
}

// in describes an endpoint for people: its party, and its addresses.
func (e Endpoint) in(l lang.Language) string {
	if at := e.at(); at != "" && at != e.Name {
		return e.who(l) + " (" + at + ")"
	}
	return e.who(l)
}

// who describes an endpoint's name and party. The appliance's name needs no party.
func (e Endpoint) who(l lang.Language) string {
	switch {
	case e.Name == "":
		return e.Party.in(l)
	case e.Party == Appliance:
		return e.Name
	}
	return e.Party.in(l) + " " + e.Name
}

// at lists an endpoint's addresses and networks.
func (e Endpoint) at() string {
	var list []string
	for _, addr := range e.Addresses {
		list = append(list, addr.String())
	}
	for _, network := range e.Networks {
		list = append(list, network.String())
	}
	return strings.Join(list, ", ")
}

// column is a column of a table for people.
type column struct {
	title text
	value func(Row, lang.Language) string
}

func yes(b bool, l lang.Language) string {
	if b {
		return texts.Yes.In(l)
	}
	return texts.No.In(l)
}

// columns are the columns of every table. Those that no row fills may be omitted.
var columns = []column{
	{texts.ID, func(r Row, _ lang.Language) string { return r.ID }},
	{texts.Need, func(r Row, l lang.Language) string { return r.Need.in(l) }},
	{texts.Source, func(r Row, l lang.Language) string { return r.Source.in(l) }},
	{texts.SourcePort, Row.sourcePort},
	{texts.Destination, func(r Row, l lang.Language) string { return r.Destination.in(l) }},
	{texts.Port, func(r Row, _ lang.Language) string { return r.port() }},
	{texts.Forwarded, Row.forwarded},
	{texts.Initiator, func(r Row, l lang.Language) string { return r.Source.Party.in(l) }},
	{texts.TLS, func(r Row, l lang.Language) string { return yes(r.TLS, l) }},
	{texts.Exempt, exempt},
	{texts.Idle, Row.idle},
	{texts.Purpose, Row.Purpose},
}

// exempt returns whether to exempt a row from TLS inspection, if it has TLS.
func exempt(r Row, l lang.Language) string {
	if !r.TLS {
		return texts.None.In(l)
	}
	return yes(r.Exempt, l)
}

func (r Row) sourcePort(_ lang.Language) string {
	if r.SourcePorts.Last == 0 {
		return ""
	}
	return port(r.Protocol, r.SourcePorts)
}

func (r Row) forwarded(_ lang.Language) string {
	var list []string
	for _, addr := range r.Forwarded {
		list = append(list, netip.AddrPortFrom(addr, r.Ports.First).String()+strings.TrimPrefix(span(r.Ports, "-"), fmt.Sprint(r.Ports.First)))
	}
	return strings.Join(list, ", ")
}

func (r Row) idle(l lang.Language) string {
	if r.Idle == 0 {
		return texts.None.In(l)
	}
	return texts.Seconds.In(l, int(r.Idle.Seconds()))
}

// columnsOf returns the columns that at least one row of a table fills.
func columnsOf(rows []Row) []column {
	return slices.DeleteFunc(slices.Clone(columns), func(c column) bool {
		return !slices.ContainsFunc(rows, func(r Row) bool { return c.value(r, lang.English) != "" })
	})
}
