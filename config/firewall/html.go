package firewall

import (
	_ "embed"
	"html/template"
	"io"

	"praxisrelay/config/lang"
)

//go:embed page.html
var pageSource string

//go:embed style.css
var style string

var pageTemplate = template.Must(template.New("page.html").Parse(pageSource))

// sheet is the template's data: a document to print, or the page.
type sheet struct {
	Language lang.Language
	Title    string
	AsOf     string
	Style    template.CSS // within a document; the page links to it
	Intro    string       // of the page
	Back     string       // the text of the page's link to the consultation
	Tables   []sheetTable
}

type sheetTable struct {
	Title, Intro string
	Columns      []string
	Rows         [][]string
	Advice       []string
}

// writeHTML writes a self-contained document to print.
func (p Plan) writeHTML(w io.Writer, l lang.Language) error {
	return pageTemplate.Execute(w, sheet{
		Language: l, Title: p.title(l), AsOf: p.asOf(l), Style: template.CSS(style),
		Tables: p.sheetTables(l, Tables...),
	})
}

func (p Plan) sheetTables(l lang.Language, tables ...Table) (list []sheetTable) {
	for _, t := range tables {
		rows := p.Table(t)
		shown := columnsOf(rows)
		table := sheetTable{
			Title: texts.Titles[t].In(l), Intro: texts.Intros[t].In(l), Advice: p.Advice(t, l),
		}
		for _, c := range shown {
			table.Columns = append(table.Columns, c.title.In(l))
		}
		for _, r := range rows {
			var cells []string
			for _, c := range shown {
				cells = append(cells, c.value(r, l))
			}
			table.Rows = append(table.Rows, cells)
		}
		list = append(list, table)
	}
	return list
}
