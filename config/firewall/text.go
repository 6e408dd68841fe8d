package firewall

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"praxisrelay/config/lang"
)

// writeText writes for a terminal: a paragraph per row, since the columns do not fit side by side.
func (p Plan) writeText(w io.Writer, l lang.Language) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "%s. %s\n%s\n", p.title(l), p.asOf(l), texts.Arrow.In(l))
	for _, table := range Tables {
		rows := p.Table(table)
		fmt.Fprintf(out, "\n%s. %s\n", strings.ToUpper(texts.Titles[table].In(l)), texts.Intros[table].In(l))
		for _, r := range rows {
			fmt.Fprintf(out, "\n  %-22s %-16s %s\n", r.ID, r.port(), r.Need.in(l))
			from := r.Source.in(l)
			if ports := r.sourcePort(l); ports != "" {
				from += ", " + ports
			}
			fmt.Fprintf(out, "      %s -> %s\n", from, r.Destination.in(l))
			fmt.Fprintf(out, "      %s\n", r.Purpose(l))
			facts := []string{texts.TLS.In(l) + ": " + yes(r.TLS, l)}
			if r.TLS {
				facts = append(facts, texts.Exempt.In(l)+": "+yes(r.Exempt, l))
			}
			if r.Idle != 0 {
				facts = append(facts, texts.Idle.In(l)+": "+r.idle(l))
			}
			if from := r.forwarded(l); from != "" {
				facts = append(facts, texts.Forwarded.In(l)+": "+from)
			}
			fmt.Fprintf(out, "      %s\n", strings.Join(facts, "; "))
		}
		fmt.Fprintln(out)
		for _, sentence := range p.Advice(table, l) {
			fmt.Fprintf(out, "  %s\n", sentence)
		}
	}
	return out.Flush()
}
