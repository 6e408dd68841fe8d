package config

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

//go:generate go test -run ^TestDocuments$ . -update

var update = flag.Bool("update", false, "write the generated documents")

// TestDocuments: the example and docs/configuration.md match the types, their comments and the
// defaults; -update writes them.
func TestDocuments(t *testing.T) {
	comments := readComments(t)
	for file, want := range map[string]string{
		"../docs/praxisrelay.example.yaml": comments.example(t),
		"../docs/configuration.md":         comments.reference(t),
	} {
		if *update {
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != want {
			t.Errorf("%s is stale (%v): run go generate ./config", file, err)
		}
	}
}

// comments are the comments of types, "Listen", and of fields, "Listen.HTTPS", without the name at
// their start.
type comments map[string]string

func readComments(t *testing.T) comments {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "config.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	c := comments{}
	note := func(key, name string, doc *ast.CommentGroup) {
		text, _, _ := strings.Cut(doc.Text(), "\n\n")
		text = strings.Join(strings.Fields(strings.TrimPrefix(text, name)), " ")
		for _, verb := range []string{"is ", "are ", "holds ", "hold "} {
			text = strings.TrimPrefix(text, verb)
		}
		c[key] = text
	}
	for _, declaration := range file.Decls {
		types, ok := declaration.(*ast.GenDecl)
		if !ok || types.Tok != token.TYPE {
			continue
		}
		spec := types.Specs[0].(*ast.TypeSpec)
		note(spec.Name.Name, spec.Name.Name, types.Doc)
		if fields, ok := spec.Type.(*ast.StructType); ok {
			for _, field := range fields.Fields.List {
				for _, name := range field.Names {
					note(spec.Name.Name+"."+name.Name, name.Name, field.Doc)
				}
			}
		}
	}
	return c
}

// of returns the comment of a field, or of its type if that is a section.
func (c comments) of(t *testing.T, parent reflect.Type, i int, section bool) string {
	t.Helper()
	key := parent.Name() + "." + parent.Field(i).Name
	if section {
		key = parent.Field(i).Type.Name()
	}
	if c[key] == "" {
		t.Errorf("%s has no comment", key)
	}
	return c[key]
}

const exampleHeader = `# The configuration of praxisrelay. Everything except name and tls may be left out; the
# defaults are in praxisrelay.example.yaml. Secrets are in their own files.
# praxisrelay config check reports every mistake; config show prints the values in effect.
`

// example returns every key with its default and its comment. Keys without a default have a sample
// value.
func (c comments) example(t *testing.T) string {
	var b strings.Builder
	b.WriteString(exampleHeader)
	defaults := Default()
	defaults.Name = "relay.example.org"
	defaults.TLS.Certificate = "/etc/praxisrelay/tls/fullchain.pem"
	defaults.TLS.Key = "/etc/praxisrelay/tls/privkey.pem"
	c.section(t, &b, reflect.ValueOf(&defaults).Elem(), "")
	return b.String()
}

func (c comments) section(t *testing.T, b *strings.Builder, v reflect.Value, indent string) {
	for i, name := range namesOf(v) {
		field := v.Field(i)
		comment := c.of(t, v.Type(), i, isSection(field))
		if indent == "" {
			b.WriteString("\n")
		}
		if isSection(field) {
			b.WriteString(wrap(comment, indent+"# ", 90) + indent + name + ":\n")
			c.section(t, b, field, indent+"  ")
			continue
		}
		value, err := encode(field)
		if err != nil {
			t.Fatal(err)
		}
		line := indent + name + ": " + value
		if inline := line + " # " + lower(strings.TrimSuffix(comment, ".")); len(inline) <= 100 {
			b.WriteString(inline + "\n")
		} else {
			b.WriteString(wrap(comment, indent+"# ", 90) + line + "\n")
		}
	}
}

const referenceHeader = `# Configuration

<!-- Written by go generate ./config from config/config.go. -->

One file, ` + "`/etc/praxisrelay/praxisrelay.yaml`" + ` unless ` + "`--config`" + ` says otherwise. ` + "`praxisrelay init`" + ` writes it;
[praxisrelay.example.yaml](praxisrelay.example.yaml) shows every key with its default. Unknown keys are mistakes.
Text is UTF-8; the byte order mark and the line ends of editors on Windows do no harm, here and in the files that it names.

    praxisrelay config check   # every mistake, with line, excerpt and remedy; also of the certificate and the secrets
    praxisrelay config show    # every value with its origin: the file's line, or the default

` + "`check`" + ` exits with 1 where there are mistakes, with 0 where there are none or only warnings. Neither prints what is in a secret's file.
`

// reference returns docs/configuration.md.
func (c comments) reference(t *testing.T) string {
	var b strings.Builder
	b.WriteString(referenceHeader)
	defaults := Default()
	var table func(v reflect.Value, key, comment string)
	table = func(v reflect.Value, key, comment string) {
		heading := "Top level"
		if key != "" {
			heading = "`" + key + "`"
		}
		b.WriteString("\n## " + heading + "\n\n")
		if comment != "" {
			b.WriteString(upper(comment) + "\n\n")
		}
		b.WriteString("| key | type | default | bounds | |\n| --- | --- | --- | --- | --- |\n")
		var sections []func()
		for i, name := range namesOf(v) {
			field, path := v.Field(i), strings.TrimPrefix(key+"."+name, ".")
			comment := c.of(t, v.Type(), i, isSection(field))
			if isSection(field) {
				sections = append(sections, func() { table(field, path, comment) })
				continue
			}
			value, err := encode(field)
			if err != nil {
				t.Fatal(err)
			}
			if value = "`" + value + "`"; value == "`\"\"`" || value == "`[]`" {
				value = "empty"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", name, typeName(field.Type()), value, bounds(path, field), upper(comment))
		}
		for _, section := range sections {
			section()
		}
	}
	table(reflect.ValueOf(&defaults).Elem(), "", "")
	return b.String()
}

// bounds gets a key's bounds from the validation: the error for an impossible value names them.
func bounds(key string, v reflect.Value) string {
	if !v.CanInt() || v.Type().Name() == "Level" {
		return ""
	}
	c := Default()
	field := reflect.ValueOf(&c).Elem()
	for _, name := range strings.Split(key, ".") {
		field = fieldsOf(field)[name]
	}
	field.SetInt(-1)
	d := decoder{failed: map[string]bool{}}
	c.validate(&d)
	for _, m := range d.mistakes {
		if m.Key == key {
			_, use, _ := strings.Cut(m.Text, ": use ")
			use = strings.TrimSuffix(use, " for no limit")
			return regexp.MustCompile(`(\d[hm])0m?0s|(\d+m)0s`).ReplaceAllString(use, "$1$2")
		}
	}
	return ""
}

func typeName(t reflect.Type) string {
	if t.Kind() == reflect.Slice {
		return "list of " + map[string]string{"string": "texts", "Addr": "addresses", "Prefix": "networks"}[t.Elem().Name()]
	}
	return map[string]string{
		"string": "text", "int": "number", "Duration": "duration", "Addr": "address", "Ports": "range", "Level": "word",
	}[t.Name()]
}

// wrap breaks a text into comment lines of at most the given number of columns.
func wrap(text, prefix string, columns int) string {
	var b strings.Builder
	line := prefix
	for i, word := range strings.Fields(upper(text)) {
		if i > 0 && len(line)+1+len(word) > columns {
			b.WriteString(line + "\n")
			line = prefix
		} else if i > 0 {
			line += " "
		}
		line += word
	}
	return b.String() + line + "\n"
}

func upper(text string) string { return string(unicode.ToUpper(rune(text[0]))) + text[1:] }

// lower lowers the first letter, unless the word is a name such as "PROXY".
func lower(text string) string {
	if len(text) > 1 && unicode.IsUpper(rune(text[1])) {
		return text
	}
	return string(unicode.ToLower(rune(text[0]))) + text[1:]
}
