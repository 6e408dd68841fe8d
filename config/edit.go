package config

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
)

// scalar is a value in the shipped example, up to a comment or the end of the line.
var scalar = regexp.MustCompile(`^("[^"]*"|\S+)`)

// Edit returns a configuration's text with new values for some of its keys, which the text must
// already set. Comments stay unchanged.
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
