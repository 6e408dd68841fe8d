package code

import (
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Parse reads a code as people type and paste it: with any dashes, spaces and invisible characters,
// in a link, or within a text. The page does the same (code.js).
func Parse(text string) (Code, error) {
	text = unescape(text)
	found, mistyped := find(text)
	switch {
	case len(found) == 1:
		return Code{found[0]}, nil
	case len(found) > 1:
		return Code{}, errors.New("the text has more than one code: give the one that is meant")
	case mistyped:
		return Code{}, errors.New("a letter of the code is wrong or two are swapped: check what was typed")
	}
	text = strings.TrimFunc(text, func(c rune) bool { return !inWord(c) })
	letters := strings.Join(strings.FieldsFunc(text, separates), "")
	if !spells(letters) {
		return Code{}, fmt.Errorf("a code has only the letters %s: check what was typed", alphabet)
	}
	return Code{}, fmt.Errorf("a code has %d letters, this has %d: check what was typed", length, len(letters))
}

// find returns the codes in a text: consecutive words, with only separators between them, that
// together spell one. mistyped reports whether others would, except for the check letter.
func find(text string) (codes []string, mistyped bool) {
	for _, run := range strings.FieldsFunc(text, func(c rune) bool { return !inWord(c) && !separates(c) }) {
		for words := strings.FieldsFunc(run, separates); len(words) > 0; {
			next := 1
			letters := ""
			for i := 0; i < len(words) && spells(words[i]) && len(letters) < length; i++ {
				letters += strings.ToUpper(words[i])
				if len(letters) != length {
					continue
				}
				if !checks(letters) {
					mistyped = true
					continue
				}
				next = i + 1
				if !slices.Contains(codes, letters) {
					codes = append(codes, letters)
				}
			}
			words = words[next:]
		}
	}
	return codes, mistyped
}

// separates reports whether a character may stand between a code's letters: a space, a dash, or an
// invisible character.
func separates(c rune) bool {
	return unicode.In(c, unicode.Z, unicode.Pd, unicode.Cf, unicode.Cc) || strings.ContainsRune("\u02d7\u2043\u2212", c)
}

func inWord(c rune) bool { return unicode.In(c, unicode.L, unicode.N) }

// spells reports whether a word has only letters of the alphabet, of either case.
func spells(word string) bool {
	return !strings.ContainsFunc(word, func(c rune) bool {
		return c >= 0x80 || !strings.ContainsRune(alphabet, unicode.ToUpper(c))
	})
}

var escapes = regexp.MustCompile(`(?:%[0-9A-Fa-f]{2})+`)

// maxEscaped is how often a link may have been escaped: once by each program that wrapped it in its
// own link.
const maxEscaped = 4

// unescape undoes the escaping of characters in links.
func unescape(text string) string {
	for range maxEscaped {
		text = escapes.ReplaceAllStringFunc(text, func(run string) string {
			bytes, _ := hex.DecodeString(strings.ReplaceAll(run, "%", ""))
			return strings.ToValidUTF8(string(bytes), "\ufffd")
		})
	}
	return text
}
