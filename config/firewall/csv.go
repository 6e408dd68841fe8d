package firewall

import (
	"encoding/csv"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"praxisrelay/config/lang"
)

// writeCSV writes a line per row for change requests, with CRLF (RFC 4180). In German it is what a
// German Excel opens on a double click: semicolons, and a byte order mark.
func (p Plan) writeCSV(w io.Writer, l lang.Language) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	if l == lang.German {
		out.Comma = ';'
		if _, err := io.WriteString(w, "\ufeff"); err != nil {
			return err
		}
	}
	write := func(cells ...string) {
		for i := range cells {
			cells[i] = plainCell(cells[i])
		}
		_ = out.Write(cells) // Flush returns its error
	}
	var titles []string
	for _, t := range []text{
		texts.Table, texts.ID, texts.Need, texts.Source, texts.SourceAddresses, texts.SourcePort,
		texts.Destination, texts.DestinationAddresses, texts.Protocol, texts.Port, texts.Forwarded,
		texts.Initiator, texts.TLS, texts.Exempt, texts.Idle, texts.Purpose, texts.AsOf,
	} {
		titles = append(titles, t.In(l))
	}
	write(titles...)
	for _, r := range p.Rows {
		sourcePorts := ""
		if r.SourcePorts.Last > 0 {
			sourcePorts = span(r.SourcePorts, "-")
		}
		write(texts.Titles[r.Table].In(l), r.ID, r.Need.in(l), r.Source.who(l), r.Source.at(), sourcePorts,
			r.Destination.who(l), r.Destination.at(), strings.ToUpper(r.Protocol), span(r.Ports, "-"),
			list(r.Forwarded),
			r.Source.Party.in(l), yes(r.TLS, l), exempt(r, l), r.idle(l), r.Purpose(l), p.AsOf.Format(time.DateOnly))
	}
	out.Flush()
	return out.Error()
}

// plainCell keeps spreadsheets from taking a value for a formula.
func plainCell(value string) string {
	if len(value) > 1 && strings.ContainsRune("=+-@\t\r", rune(value[0])) {
		return "'" + value
	}
	return value
}

func list(addresses []netip.Addr) string {
	return strings.Trim(fmt.Sprint(addresses), "[]")
}
