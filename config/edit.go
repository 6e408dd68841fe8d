package config

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
)

// scalar is a value of the shipped example, with a comment or the line's end behind it.
var scalar = regexp.MustCompile(`^("[^"]*"|\S+)`)

// Edit returns a configuration's text with other values for some of its keys, each of
// which must have one in the text. Comments stay as they are.
func Edit(text []byte, values map[string]any) ([]byte, error) {
	_, source, err := read("the text", text)
	if err != nil {
		return nil, err
	}
	for key, v := range values {
		at, set := source.at[key]
		if !set {
			return nil, fmt.Errorf("the text does not set %s", key)
		}
		value, err := encode(reflect.ValueOf(v))
		if err != nil {
			return nil, err
		}
		line := source.lines[at.line-1]
		source.lines[at.line-1] = line[:at.column-1] + scalar.ReplaceAllLiteralString(line[at.column-1:], value)
	}
	return []byte(strings.Join(source.lines, "\n")), nil
}
