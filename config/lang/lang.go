// Package lang holds the languages that people are addressed in.
package lang

import "fmt"

// Language is de or en.
type Language string

// The languages.
const (
	German  Language = "de"
	English Language = "en"
)

// Parse parses a language.
func Parse(text string) (Language, error) {
	if l := Language(text); l == German || l == English {
		return l, nil
	}
	return "", fmt.Errorf("language %q is unknown: use %s or %s", text, German, English)
}

// Text is a text in German and in English, or a format for one.
type Text [2]string

// In returns the text in a language.
func (t Text) In(l Language, args ...any) string {
	format := t[1]
	if l == German {
		format = t[0]
	}
	if len(args) == 0 {
		return format
	}
	return fmt.Sprintf(format, args...)
}
