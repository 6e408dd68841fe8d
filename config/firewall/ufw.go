package firewall

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"praxisrelay/config/lang"
)

// writeUFW writes application profiles for ufw: one for what anyone may reach, one for the
// management network. Profiles cover only incoming connections; comments name the rest.
func (p Plan) writeUFW(w io.Writer, l lang.Language) error {
	out := bufio.NewWriter(w)
	p.remarks(out, l, texts.UFW)
	public, rest := p.public()
	writeUFWProfile(out, "praxisrelay", p.title(l), texts.UFWPublic.In(l), public)
	var management []Row
	for _, r := range rest {
		if r.Table == ApplianceIngress {
			management = append(management, r)
		}
	}
	writeUFWProfile(out, "praxisrelay-management", p.title(l), texts.UFWManagement.In(l), management)
	fmt.Fprintf(out, "\n# %s\n", texts.UFWEgress.In(l))
	for _, r := range p.Table(ApplianceEgress) {
		from := ""
		if r.SourcePorts.Last > 0 {
			from = "from any port " + span(r.SourcePorts, ":") + " "
		}
		fmt.Fprintf(out, "# ufw allow out proto %s %sto any port %s comment '%s'\n", r.Protocol, from,
			span(r.Ports, ":"), r.ID)
	}
	return out.Flush()
}

func writeUFWProfile(w io.Writer, name, title, description string, rows []Row) {
	var ids, ports []string
	for _, r := range rows {
		ids = append(ids, r.ID)
		ports = append(ports, span(r.Ports, ":")+"/"+r.Protocol)
	}
	fmt.Fprintf(w, "\n# %s\n[%s]\ntitle=%s\ndescription=%s\nports=%s\n", strings.Join(ids, " "), name,
		title, description, strings.Join(ports, "|"))
}
