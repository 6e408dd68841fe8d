package invitation

import (
	"regexp"
	"strings"
	"testing"

	"praxisrelay/config/lang"
)

// TestPage: the sheet has everything that the text has, and loads nothing.
func TestPage(t *testing.T) {
	for _, i := range sample(t, "2026-12-01 10:00", "Europe/Berlin", lang.German) {
		qr, err := NewQR(i.Seat.Link)
		if err != nil {
			t.Fatal(err)
		}
		text, err := i.page(qr)
		if err != nil {
			t.Fatal(err)
		}
		page := string(text)
		wants := append(i.advice(), `<html lang="de">`, i.words().heading[i.Seat.Name], qr.SVG(), `<a href="`+i.Seat.Link+`">`, "size: A4")
		for _, f := range i.facts() {
			wants = append(wants, f.Name, f.Value)
		}
		for _, want := range wants {
			if !strings.Contains(page, want) {
				t.Errorf("%q is missing in\n%s", want, page)
			}
		}
		// The only addresses are the link's, and the name of SVG's namespace.
		own := strings.NewReplacer(i.Seat.Link, "", "https://relay.example.org/", "", "http://www.w3.org/2000/svg", "").Replace(page)
		if found := regexp.MustCompile(`(?i)(\b\w+:)?//|<script|<link|<img|<iframe|@import|url\(|\bsrc=`).FindString(own); found != "" {
			t.Errorf("the page has %q", found)
		}
	}
}

func TestPageEscapes(t *testing.T) {
	i := sample(t, "2026-12-01 10:00", "Europe/Berlin", lang.English)[0]
	qr, err := NewQR(i.Seat.Link)
	if err != nil {
		t.Fatal(err)
	}
	i.Seat.Link = `https://relay.example.org/"><script>&`
	page, err := i.page(qr)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(page), "<script>") {
		t.Error("a link became a script")
	}
}
