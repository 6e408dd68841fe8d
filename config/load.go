package config

import (
	"encoding"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Load reads, decodes and validates a file. The error names every mistake, one a
// line, as "file:line: key: what is wrong: what to do".
func Load(file string) (Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Config{}, fmt.Errorf("%w: name the configuration with --config FILE", err)
	}
	return Parse(file, text)
}

// Parse is Load for a text; file is its name in errors.
func Parse(file string, text []byte) (Config, error) {
	d := decoder{file: file, lines: map[string]int{}}
	c := Default()
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		d.problem(yamlLine(err), "", "%s", firstLine(yaml.FormatError(err, false, false)))
		return Config{}, d.err()
	}
	for i, document := range tree.Docs {
		if i > 0 {
			d.problem(line(document.Body), "", "a second document: use one, without \"---\" between")
			break
		}
		if document.Body != nil {
			d.decode(document.Body, reflect.ValueOf(&c).Elem(), "")
		}
	}
	c.validate(&d)
	if err := d.err(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// decoder walks the file's tree beside the types, so that it can go on after a
// mistake.
type decoder struct {
	file     string
	lines    map[string]int // key -> line, of what the file sets
	failed   map[string]bool
	problems []problem
}

type problem struct {
	line int // 0: nowhere, since it is missing
	text string
}

// problem notes a mistake. key may be empty.
func (d *decoder) problem(line int, key, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if key != "" {
		text = key + ": " + text
	}
	where := d.file
	if line > 0 {
		where = fmt.Sprintf("%s:%d", d.file, line)
	}
	d.problems = append(d.problems, problem{line, where + ": " + text})
}

// wrong notes that the value of a key is unusable. A key that could not be
// decoded has been complained about already.
func (d *decoder) wrong(key, format string, args ...any) {
	if !d.failed[key] {
		d.problem(d.lines[key], key, format, args...)
	}
}

func (d *decoder) err() error {
	if len(d.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(d.problems, func(a, b problem) int { return a.line - b.line })
	var lines []string
	for _, p := range d.problems {
		lines = append(lines, p.text)
	}
	return errors.New(strings.Join(lines, "\n"))
}

func (d *decoder) decode(node ast.Node, v reflect.Value, key string) {
	d.lines[key] = line(node)
	_, text := v.Addr().Interface().(encoding.TextUnmarshaler)
	if text || v.Kind() != reflect.Struct {
		d.leaf(node, v, key)
		return
	}
	if _, null := node.(*ast.NullNode); null {
		return // a section whose keys are all commented out
	}
	mapping, ok := node.(ast.MapNode)
	if !ok {
		d.fail(node, key, "a section was expected here: write its keys below it, indented")
		return
	}
	fields, seen := fieldsOf(v), map[string]bool{}
	for entries := mapping.MapRange(); entries.Next(); {
		name := entries.Key().String()
		path := strings.TrimPrefix(key+"."+name, ".")
		field, known := fields[name]
		switch {
		case !known:
			d.problem(line(entries.Key()), path, "unknown key: use one of %s", strings.Join(namesOf(v), ", "))
		case seen[name]:
			d.problem(line(entries.Key()), path, "set a second time: keep one")
		default:
			seen[name] = true
			d.decode(entries.Value(), field, path)
		}
	}
}

// leaf decodes a value, and a list's values one by one.
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
	d.problem(line(node), key, format, args...)
}

// expected says what a value of a type looks like.
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

func line(node ast.Node) int {
	if node == nil || node.GetToken() == nil {
		return 0
	}
	return node.GetToken().Position.Line
}

func yamlLine(err error) int {
	var e yaml.Error
	if errors.As(err, &e) && e.GetToken() != nil {
		return e.GetToken().Position.Line
	}
	return 0
}

// firstLine leaves out the position, which is in front already, and the excerpt.
func firstLine(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	if _, rest, ok := strings.Cut(first, "] "); ok {
		first = rest
	}
	return first
}
