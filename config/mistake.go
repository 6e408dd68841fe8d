package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// Mistake is a mistake in one key of a configuration, or in its syntax.
type Mistake struct {
	File         string
	Line, Column int    // from 1; 0: the file does not set the key
	Key          string // "relay.peers", "listen.turn_udp[1]"; empty: not about a key
	Text         string // the fault and its remedy: "what is wrong: what to do"
	excerpt      string // the part of the line that may be shown
}

// String returns the mistake on one line: "file:line: key: what is wrong: what to do".
func (m Mistake) String() string {
	text := place(m.File, m.Line) + ": "
	if m.Key != "" {
		text += m.Key + ": "
	}
	return text + m.Text
}

// Excerpt returns the line of the file with a mark below the position, or "" if there is none. It
// omits what may be a misplaced secret: the value of an unknown key, and a line without a key.
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

// Mistakes is an error that lists all mistakes.
type Mistakes []Mistake

// Error returns a line for each.
func (m Mistakes) Error() string {
	var lines []string
	for _, mistake := range m {
		lines = append(lines, mistake.String())
	}
	return strings.Join(lines, "\n")
}

// Source is the origin of a configuration's values.
type Source struct {
	file  string
	lines []string
	at    map[string]position // of the keys that the file sets
	// hidden lines are shown only up to their key.
	hidden  map[int]bool
	retired []string // keys of older versions that the file sets
}

type position struct{ line, column int }

// Decoded reports whether anything was decoded, which a syntax error prevents.
func (s *Source) Decoded() bool { return len(s.at) > 0 }

// Origin returns "file:line" for a key that the file sets, and "default" for others.
func (s *Source) Origin(key string) string {
	if at, set := s.at[key]; set {
		return place(s.file, at.line)
	}
	return "default"
}

// Mistakes adds positions to errors about values of a configuration, each of which begins with its
// key: "tls.key: what is wrong".
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
	return Mistake{
		File: s.file, Line: at.line, Column: at.column, Key: key, Text: text, excerpt: s.excerpt(at, key),
	}
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
