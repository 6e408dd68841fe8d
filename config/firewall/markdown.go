package firewall

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"praxisrelay/config/lang"
)

// writeMarkdown writes sections with a table and a list each, for a wiki.
func (p Plan) writeMarkdown(w io.Writer, l lang.Language) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "# %s\n\n%s\n", markdownEscape(p.title(l)), p.asOf(l))
	for _, table := range Tables {
		fmt.Fprintf(out, "\n## %s\n\n%s\n\n", texts.Titles[table].In(l), texts.Intros[table].In(l))
		rows := p.Table(table)
		shown := columnsOf(rows)
		head, line := "|", "|"
		for _, c := range shown {
			head += " " + c.title.In(l) + " |"
			line += " --- |"
		}
		fmt.Fprintf(out, "%s\n%s\n", head, line)
		for _, r := range rows {
			fmt.Fprint(out, "|")
			for _, c := range shown {
				fmt.Fprintf(out, " %s |", markdownEscape(c.value(r, l)))
			}
			fmt.Fprintln(out)
		}
		fmt.Fprintln(out)
		for _, sentence := range p.Advice(table, l) {
			fmt.Fprintf(out, "- %s\n", markdownEscape(sentence))
		}
	}
	return out.Flush()
}

var markdownEscape = strings.NewReplacer(`\`, `\\`, "|", `\|`, "<", "&lt;", "&", "&amp;", "`", "\\`",
	"*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "\n", " ", "\r", " ").Replace
