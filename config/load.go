package config

import (
	"encoding"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Load reads, decodes and validates a file. The error is Mistakes, with all of them; whatever could
// be decoded is returned too.
func Load(file string) (Config, error) {
	c, _, err := Read(file)
	return c, err
}

// Read is Load that also returns the origin of the values, even after mistakes.
func Read(file string) (Config, *Source, error) {
	text, err := readFile(file)
	if err != nil {
		return Config{}, &Source{file: file}, Unread(err)
	}
	return read(file, text)
}

// Unread adds a remedy to the error of a configuration that cannot be read.
func Unread(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: praxisrelay init writes one, --config FILE names another", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: the configuration holds no secrets, so let everybody read it (chmod a+r), "+
			"or run this as root", err)
	}
	return err
}

// readFile reads at most one byte more than allowed, which shows that a file is too large.
func readFile(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxBytes+1))
}

// Parse is Load for a text; file is its name in errors.
func Parse(file string, text []byte) (Config, error) {
	c, _, err := read(file, text)
	return c, err
}

func read(file string, text []byte) (Config, *Source, error) {
	text, foreign := PlainText(text)
	d := decoder{Source: Source{
		file: file, lines: strings.Split(string(text), "\n"), at: map[string]position{},
		hidden: map[int]bool{},
	}}
	c := Default()
	if foreign != nil {
		d.problem(position{}, "", "%v", foreign)
		return Config{}, &d.Source, d.err()
	}
	if len(text) > maxBytes {
		d.problem(position{}, "", "more than %d bytes: that is not a configuration", maxBytes)
		return Config{}, &d.Source, d.err()
	}
	tokens := lexer.Tokenize(string(text))
	if at, deep := tooDeep(tokens); deep {
		d.problem(at, "", "brackets or lists more than %d deep: no value needs that", maxDepth)
		return Config{}, &d.Source, d.err()
	}
	tree, err := parser.Parse(tokens, 0)
	if err != nil {
		d.problem(yamlPosition(err), "", "%s", firstLine(yaml.FormatError(err, false, false)))
		return Config{}, &d.Source, d.err()
	}
	for i, document := range tree.Docs {
		if i > 0 {
			d.problem(positionOf(document.Body), "", "a second document: use one, without \"---\" between")
			break
		}
		if document.Body != nil {
			d.decode(document.Body, reflect.ValueOf(&c).Elem(), "")
		}
	}
	c.validate(&d)
	return c, &d.Source, d.err()
}

// Limits on input that would cost the parser minutes, or all memory. No configuration needs more.
const (
	maxBytes = 1 << 20
	maxDepth = 20 // of brackets, and of lists that begin on one line
)

// tooDeep finds values nested too deep for the parser, whose time grows with the square of the
// depth. Lists and sections on separate lines cannot be: each is indented farther.
func tooDeep(tokens token.Tokens) (at position, deep bool) {
	brackets, dashes, line := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			dashes, line = 0, t.Position.Line
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets--
		case token.SequenceEntryType:
			dashes++
		}
		if brackets+dashes > maxDepth {
			return position{line, t.Position.Column}, true
		}
	}
	return position{}, false
}

// decoder walks the file's tree in parallel with the types, so that it can continue after a
// mistake.
type decoder struct {
	Source
	failed   map[string]bool
	mistakes Mistakes
}

// problem records a mistake. key may be empty.
func (d *decoder) problem(at position, key, format string, args ...any) {
	d.mistakes = append(d.mistakes, Mistake{Line: at.line, Column: at.column, Key: key,
		Text: fmt.Sprintf(format, args...)})
}

// wrong records that a key's value is unusable, unless decoding it has already failed.
func (d *decoder) wrong(key, format string, args ...any) {
	if !d.failed[key] {
		d.problem(d.at[key], key, format, args...)
	}
}

func (d *decoder) err() error {
	if len(d.mistakes) == 0 {
		return nil
	}
	// Only now is it known which lines are hidden.
	for i, m := range d.mistakes {
		d.mistakes[i] = d.mistake(position{m.Line, m.Column}, m.Key, m.Text)
	}
	slices.SortStableFunc(d.mistakes, func(a, b Mistake) int { return a.Line - b.Line })
	return d.mistakes
}

func (d *decoder) decode(node ast.Node, v reflect.Value, key string) {
	if _, noted := d.at[key]; !noted {
		d.at[key] = positionOf(node)
	}
	if !isSection(v) {
		d.leaf(node, v, key)
		return
	}
	if _, null := node.(*ast.NullNode); null {
		return // a section whose keys are all commented out
	}
	mapping, ok := node.(ast.MapNode)
	if !ok {
		d.hidden[positionOf(node).line] = true // it is out of place, so it may be anything
		d.fail(node, key, "a section was expected here: write its keys below it, indented")
		return
	}
	fields, seen := fieldsOf(v), map[string]bool{}
	for entries := mapping.MapRange(); entries.Next(); {
		name := entries.Key().String()
		path := strings.TrimPrefix(key+"."+name, ".")
		field, known := fields[name]
		switch {
		case !known && retiredKeys[path] != "":
			d.at[path] = positionOf(entries.Key())
			d.retired = append(d.retired, path)
		case !known:
			d.hidden[positionOf(entries.Key()).line] = true
			d.problem(positionOf(entries.Key()), path, "unknown key: use one of %s",
				strings.Join(namesOf(v), ", "))
		case seen[name]:
			d.problem(positionOf(entries.Key()), path, "set a second time: keep one")
		default:
			seen[name] = true
			if isSection(field) { // a section's position is its name's
				d.at[path] = positionOf(entries.Key())
			}
			d.decode(entries.Value(), field, path)
		}
	}
}

// isSection reports whether a value is a struct of keys, not one written as text.
func isSection(v reflect.Value) bool {
	_, text := v.Addr().Interface().(encoding.TextUnmarshaler)
	return !text && v.Kind() == reflect.Struct
}

// leaf decodes a value, or a list's values one by one.
func (d *decoder) leaf(node ast.Node, v reflect.Value, key string) {
	if list, ok := node.(*ast.SequenceNode); ok && v.Kind() == reflect.Slice {
		values := reflect.MakeSlice(v.Type(), len(list.Values), len(list.Values))
		for i, item := range list.Values {
			d.decode(item, values.Index(i), fmt.Sprintf("%s[%d]", key, i))
		}
		v.Set(values)
		return
	}
	if err := yaml.NodeToValue(node, v.Addr().Interface()); err != nil {
		d.fail(node, key, "%s", expected(v.Type()))
	}
}

func (d *decoder) fail(node ast.Node, key, format string, args ...any) {
	if d.failed == nil {
		d.failed = map[string]bool{}
	}
	d.failed[key] = true
	d.problem(positionOf(node), key, format, args...)
}

// expected describes what a value of a type looks like.
func expected(t reflect.Type) string {
	switch t.String() {
	case "time.Duration":
		return "not a duration: write it like 90s, 30m or 8h"
	case "netip.Addr":
		return "not an IP address: write it like 192.0.2.10 or 2001:db8::10"
	case "netip.Prefix":
		return "not a network: write it like 192.0.2.0/24 or 2001:db8::/32"
	case "config.Ports":
		return "not a range of ports: write it like 49152-65535"
	case "slog.Level":
		return "none of debug, info, warn, error"
	case "int":
		return "not a whole number"
	case "string":
		return "not a text: put it in quotes"
	}
	return "a list was expected: write [\"first\", \"second\"]"
}

func fieldsOf(v reflect.Value) map[string]reflect.Value {
	fields := map[string]reflect.Value{}
	for i, name := range namesOf(v) {
		fields[name] = v.Field(i)
	}
	return fields
}

func namesOf(v reflect.Value) (names []string) {
	for i := range v.NumField() {
		names = append(names, v.Type().Field(i).Tag.Get("yaml"))
	}
	return names
}

func positionOf(node ast.Node) position {
	if node == nil || node.GetToken() == nil {
		return position{}
	}
	p := node.GetToken().Position
	return position{p.Line, p.Column}
}

func yamlPosition(err error) position {
	var e yaml.Error
	if errors.As(err, &e) && e.GetToken() != nil {
		p := e.GetToken().Position
		return position{p.Line, p.Column}
	}
	return position{}
}

// firstLine drops the position, which is reported separately, and the excerpt.
func firstLine(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	if _, rest, ok := strings.Cut(first, "] "); ok {
		first = rest
	}
	return first
}
