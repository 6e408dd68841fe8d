package sitecheck

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"praxisrelay/cmd/praxisrelay/terminal"
	"praxisrelay/config/lang"
	"praxisrelay/relay/check"
)

// checkProgress shows a check's progress on a terminal: a line for each result, and below them a
// line that is overwritten, with the running probe and its seconds.
type checkProgress struct {
	line    *terminal.Line // nil: nobody is watching
	report  Report
	began   time.Time
	ended   chan struct{}
	ticking sync.WaitGroup

	mu      sync.Mutex
	running []string
}

func newCheckProgress(stderr io.Writer, l lang.Language) *checkProgress {
	if !terminal.Is(stderr) {
		return new(checkProgress)
	}
	return startCheckProgress(terminal.LineOn(stderr), l)
}

func startCheckProgress(line *terminal.Line, l lang.Language) *checkProgress {
	p := &checkProgress{line: line, report: Report{language: l}, began: time.Now(),
		ended: make(chan struct{})}
	p.ticking.Go(func() {
		every := time.NewTicker(time.Second)
		defer every.Stop()
		for {
			select {
			case <-every.C:
				p.mu.Lock()
				p.showLocked()
				p.mu.Unlock()
			case <-p.ended:
				return
			}
		}
	})
	return p
}

func (p *checkProgress) event(result check.Result) {
	if p.line == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	name := p.report.name(result.ID, result.Way)
	if result.Status == "" {
		p.running = append(p.running, name)
	} else {
		p.running = slices.DeleteFunc(p.running, func(other string) bool { return other == name })
		if result.Status != check.Skipped {
			p.line.Show("")
			fmt.Fprintf(p.line, "%s: %s\n", name, p.report.cell(result))
		}
	}
	p.showLocked()
}

// showLocked shows the running probes, or only their number if the terminal is too narrow.
func (p *checkProgress) showLocked() {
	text := ""
	if len(p.running) > 0 {
		took := fmt.Sprintf(" ... %d s", int(time.Since(p.began).Seconds()))
		text = checkTexts.running.In(p.report.language) + " " + strings.Join(p.running, ", ") + took
		if !p.line.Fits(text) {
			text = fmt.Sprintf("%s %d%s", checkTexts.running.In(p.report.language), len(p.running), took)
		}
	}
	p.line.Show(text)
}

func (p *checkProgress) end() {
	if p.line == nil {
		return
	}
	close(p.ended)
	p.ticking.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line.Show("")
}
