package firewall

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"

	"praxisrelay/config/lang"
)

// writeFirewalld writes a service for firewalld: what anyone may reach. Services have neither
// sources nor a direction, so a comment names the rest, which must not contain two consecutive
// hyphens.
func (p Plan) writeFirewalld(w io.Writer, l lang.Language) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "%s<service>\n  <short>praxisrelay</short>\n  <description>", xml.Header)
	if err := xml.EscapeText(out, []byte(p.title(l)+". "+p.asOf(l)+". "+texts.Firewalld.In(l))); err != nil {
		return err
	}
	fmt.Fprint(out, "</description>\n")
	public, rest := p.public()
	for _, r := range public {
		fmt.Fprintf(out, "  <port protocol=%q port=%q/> <!-- %s -->\n", r.Protocol, span(r.Ports, "-"), r.ID)
	}
	fmt.Fprintf(out, "  <!-- %s", texts.NotInService.In(l))
	for _, r := range rest {
		fmt.Fprintf(out, "\n       %s %s", r.ID, r.port())
	}
	fmt.Fprint(out, " -->\n</service>\n")
	return out.Flush()
}

// public returns the rows of the appliance that anyone may reach, and its other rows.
func (p Plan) public() (public, rest []Row) {
	for _, r := range p.Rows {
		switch {
		case r.Table == ApplianceIngress && r.Source.Party != Management:
			public = append(public, r)
		case r.Table != ClientEgress:
			rest = append(rest, r)
		}
	}
	return public, rest
}
