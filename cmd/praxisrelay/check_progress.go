package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"praxisrelay/config/firewall"
	"praxisrelay/relay/check"
)

// checkProgress says on a terminal what a check finds, while it goes on.
type checkProgress struct {
	w       io.Writer // nil: nobody looks
	report  checkReport
	running []string
	width   int // of the last line, which the next one overwrites
}

func newCheckProgress(stderr io.Writer, l firewall.Language) *checkProgress {
	p := &checkProgress{report: checkReport{language: l}}
	if isTerminal(stderr) {
		p.w = stderr
	}
	return p
}

func (p *checkProgress) event(result check.Result) {
	name := p.report.name(result.ID, result.Way)
	if p.w == nil {
		return
	}
	if result.Status == "" {
		p.running = append(p.running, name)
	} else {
		p.running = slices.DeleteFunc(p.running, func(other string) bool { return other == name })
		if result.Status != check.Skipped {
			p.line(fmt.Sprintf("%s: %s", name, p.report.cell(result)))
			fmt.Fprintln(p.w)
		}
	}
	if text := strings.Join(p.running, ", "); len(text) > 70 {
		p.line(fmt.Sprintf("%s ... (%d)", checkTexts.running.in(p.report.language), len(p.running)))
	} else {
		p.line(fmt.Sprintf("%s %s ...", checkTexts.running.in(p.report.language), text))
	}
}

// line writes over the last line.
func (p *checkProgress) line(text string) {
	fmt.Fprintf(p.w, "\r%-*s\r%s", p.width, "", text)
	p.width = len(text)
}

func (p *checkProgress) end() {
	if p.w != nil {
		p.line("")
	}
}
