package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// Mistake is what is wrong with one key of a configuration, or with its syntax.
type Mistake struct {
	File         string
	Line, Column int    // from 1; 0: the file says nothing of the key
	Key          string // "relay.peers", "listen.turn_udp[1]"; empty: it is not about one
	Text         string // what is wrong: what to do
	excerpt      string // the line, as far as it may be shown
}

// String is the mistake in one line: "file:line: key: what is wrong: what to do".
func (m Mistake) String() string {
	text := place(m.File, m.Line) + ": "
	if m.Key != "" {
		text += m.Key + ": "
	}
	return text + m.Text
}

// Excerpt is the line of the file with a mark below the place, or "" where there is
// none. What may be a secret that got into the wrong place is left out of it: the
// value of an unknown key, and a line without any key.
func (m Mistake) Excerpt() string {
	if m.excerpt == "" {
		return ""
	}
	number, before := fmt.Sprintf("%5d | ", m.Line), []rune(m.excerpt)
	before = before[:min(m.Column-1, len(before))]
	mark := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, string(before))
	return number + m.excerpt + "\n" + fmt.Sprintf("%5s | ", "") + mark + "^\n"
}

// Mistakes is the error that names all of them.
type Mistakes []Mistake

// Error has a line for each.
func (m Mistakes) Error() string {
	var lines []string
	for _, mistake := range m {
		lines = append(lines, mistake.String())
	}
	return strings.Join(lines, "\n")
}

// Source tells where the values of a configuration come from.
type Source struct {
	file  string
	lines []string
	at    map[string]position // of what the file sets
	// Lines that are shown no further than their keys.
	hidden map[int]bool
}

type position struct{ line, column int }

// Decoded reports whether there was anything to decode: no file without syntax.
func (s *Source) Decoded() bool { return len(s.at) > 0 }

// Origin is "file:line" for a key that the file sets, and "default" for others.
func (s *Source) Origin(key string) string {
	if at, set := s.at[key]; set {
		return place(s.file, at.line)
	}
	return "default"
}

// Mistakes finds the places of errors about what a configuration names, each of
// which begins with its key: "tls.key: what is wrong".
func (s *Source) Mistakes(err error) (found Mistakes) {
	var all Mistakes
	if errors.As(err, &all) || err == nil {
		return all
	}
	for _, line := range strings.Split(err.Error(), "\n") {
		key, text, ok := strings.Cut(line, ": ")
		if !ok || strings.ContainsAny(key, " /") {
			key, text = "", line
		}
		found = append(found, s.mistake(s.at[key], key, text))
	}
	return found
}

func (s *Source) mistake(at position, key, text string) Mistake {
	return Mistake{File: s.file, Line: at.line, Column: at.column, Key: key, Text: text, excerpt: s.excerpt(at, key)}
}

var (
	keyOnly  = regexp.MustCompile(`^[\s-]*[\w.-]+:(\s|$)`)
	userinfo = regexp.MustCompile(`://[^/\s]*@`)
)

func (s *Source) excerpt(at position, key string) string {
	if at.line < 1 || at.line > len(s.lines) {
		return ""
	}
	line := s.lines[at.line-1]
	if key == "" || s.hidden[at.line] {
		line = strings.TrimRight(keyOnly.FindString(line), " ")
		if line == "" {
			return ""
		}
		line += " ..."
	}
	line = userinfo.ReplaceAllString(line, "://...@")
	return strings.TrimRightFunc(strings.Map(func(r rune) rune {
		if r != '\t' && !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, line), unicode.IsSpace)
}

func place(file string, line int) string {
	if line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d", file, line)
}
