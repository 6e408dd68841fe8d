package sitecheck

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"praxisrelay/cmd/praxisrelay/terminal"
	"praxisrelay/config/lang"
	"praxisrelay/relay/check"
)

// screen is a terminal with the given number of columns that wraps longer lines.
type screen struct {
	columns, at int
	lines       [][]rune
	seen        []string // each line as it was before it was overwritten
}

func (s *screen) Write(b []byte) (int, error) {
	for _, r := range string(b) {
		if len(s.lines) == 0 || s.at == s.columns && r != '\r' && r != '\n' {
			s.lines, s.at = append(s.lines, nil), 0
		}
		line := &s.lines[len(s.lines)-1]
		switch r {
		case '\r':
			s.seen, s.at = append(s.seen, strings.TrimRight(string(*line), " ")), 0
		case '\n':
			s.lines, s.at = append(s.lines, nil), 0
		default:
			if s.at == len(*line) {
				*line = append(*line, r)
			}
			(*line)[s.at] = r
			s.at++
		}
	}
	return len(b), nil
}

// left is the text that is left on the screen.
func (s *screen) left() (lines []string) {
	for _, line := range s.lines {
		lines = append(lines, strings.TrimRight(string(line), " "))
	}
	return lines
}

// TestCheckProgress checks that results stay, that the running probe is shown below them with its
// seconds, and that nothing of that line is left on a terminal of any width.
func TestCheckProgress(t *testing.T) {
	for _, columns := range []int{0, 20, 40, 80, 200} {
		t.Run(fmt.Sprint(columns), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &screen{columns: max(columns, 20)}
				p := startCheckProgress(terminal.NewLine(s, func() int { return columns }), lang.German)
				page := check.Way{Transport: check.TLS, Port: 443}
				udp := check.Way{Transport: check.UDP, Port: 3478}
				p.event(check.Result{ID: "own-tls-443", Way: &page})
				p.event(check.Result{ID: "connect-udp-3478", Way: &udp})
				p.event(check.Result{ID: "websocket", Way: &page})
				p.event(check.Result{ID: "dns", Status: check.OK})
				time.Sleep(1500 * time.Millisecond)
				p.event(check.Result{ID: "connect-udp-3478", Way: &udp, Status: check.OK})
				p.event(check.Result{ID: "own-tls-443", Way: &page, Status: check.Skipped})
				time.Sleep(1500 * time.Millisecond)
				p.event(check.Result{ID: "websocket", Way: &page, Status: check.OK})
				p.end()
				results := []string{"Name (DNS): ok", "3478/UDP Verbindung: ok", "WebSocket: ok"}
				var want []string
				for _, line := range results {
					for ; utf8.RuneCountInString(line) > s.columns; line = line[s.columns:] {
						want = append(want, line[:s.columns])
					}
					want = append(want, line)
				}
				if got := s.left(); !slices.Equal(got, append(want, "")) {
					t.Errorf("there stands\n%s", strings.Join(got, "\n"))
				}
				if ticked := slices.Contains(s.seen,
					"es läuft: WebSocket ... 2 s"); ticked != (columns >= 40) {
					t.Errorf("seen %q", s.seen)
				}
			})
		})
	}
}
