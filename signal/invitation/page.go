package invitation

import (
	"bytes"
	_ "embed"
	"html/template"

	"praxisrelay/config/lang"
)

//go:embed page.html
var pageSource string

var pageTemplate = template.Must(template.New("page.html").Parse(pageSource))

// page returns a self-contained sheet to print, which loads nothing.
func (i Invitation) page(qr QR) ([]byte, error) {
	var b bytes.Buffer
	facts := i.facts()
	err := pageTemplate.Execute(&b, struct {
		Language   lang.Language
		Title      string
		Heading    string
		Times      []fact
		Code, Link fact
		QRName     string
		QR         template.HTML
		Advice     []string
	}{
		Language: i.Language, Title: i.words().title, Heading: i.words().heading[i.Seat.Name],
		Times: facts[:2], Code: facts[2], Link: facts[3],
		QRName: i.words().qr, QR: template.HTML(qr.SVG()), Advice: i.advice(),
	})
	return b.Bytes(), err
}
