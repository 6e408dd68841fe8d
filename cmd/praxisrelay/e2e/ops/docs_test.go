package ops

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/cmd/praxisrelay/cli"
)

// TestDocumentsNameWhatExists checks that every test, and every link to a file or a heading, that a
// document names exists.
func TestDocumentsNameWhatExists(t *testing.T) {
	root := apptest.InTree()
	defined := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, match := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`).FindAllSubmatch(source, -1) {
			defined[string(match[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for path, text := range documents(t) {
		for _, name := range regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w+`).FindAllString(text, -1) {
			named++
			if !defined[name] {
				t.Errorf("%s names %s, which is not a test", path, name)
			}
		}
		checkLinks(t, path, text)
	}
	if named < 30 {
		t.Errorf("the documents name %d tests", named)
	}
}

// documents returns the Markdown files for people, by path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"README.md", "docs/*.md", "docs/de/*.md"} {
		paths, err := filepath.Glob(apptest.InTree(pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %d documents, %v", pattern, len(paths), err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			texts[path] = string(text)
		}
	}
	return texts
}

// TestDocumentsShowCommandsThatExist checks that every command line of praxisrelay in a document,
// or in a command's example, is valid, with its flags and number of arguments.
func TestDocumentsShowCommandsThatExist(t *testing.T) {
	shown := 0
	check := func(where, code string, whole bool) {
		for _, args := range commandLines(code) {
			shown++
			if err := parses(args, whole); err != nil {
				t.Errorf("%s: praxisrelay %s: %v", where, strings.Join(args, " "), err)
			}
		}
	}
	for path, text := range documents(t) {
		blocks, spans := codeOf(text)
		check(path, blocks, true)
		for _, span := range spans { // which may name only a command
			check(path, span, false)
		}
	}
	readme, err := os.ReadFile(apptest.InTree("systemd/packages/README"))
	if err != nil {
		t.Fatal(err)
	}
	check("README of the packages", string(readme), true)
	var examples func(*cobra.Command)
	examples = func(c *cobra.Command) {
		check("the example of "+c.CommandPath(), c.Example, true)
		for _, sub := range c.Commands() {
			examples(sub)
		}
	}
	examples(cli.Command("", time.Now, 0))
	if shown < 100 {
		t.Errorf("%d command lines were found", shown)
	}
	for _, wrong := range []string{"code batch", "token create", "code create --begin now",
		"status now", "drain --until 14:20 --cancel"} {
		if parses(strings.Fields(wrong), true) == nil {
			t.Errorf("praxisrelay %s counts as a command", wrong)
		}
	}
}

// codeOf returns the code in Markdown: indented and fenced blocks (marked as sh or without a
// language), and spans in the text.
func codeOf(markdown string) (blocks string, spans []string) {
	var code, prose strings.Builder
	fence, blank := "", true
	for line := range strings.Lines(markdown) {
		switch mark := strings.TrimSpace(line); {
		case strings.HasPrefix(mark, "```") && fence == "":
			fence = mark
		case strings.HasPrefix(mark, "```"):
			fence = ""
		case fence == "```" || fence == "```sh":
			code.WriteString(line)
		case fence != "":
		case strings.HasPrefix(line, "    ") && blank:
			code.WriteString(line)
			continue // the next line continues it
		default:
			prose.WriteString(line)
		}
		blank = strings.TrimSpace(line) == ""
	}
	for _, span := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(prose.String(), -1) {
		spans = append(spans, span[1])
	}
	return code.String(), spans
}

// commandLines returns the arguments of praxisrelay's commands in shell text.
func commandLines(code string) (lines [][]string) {
	code = strings.ReplaceAll(code, "\\\n", " ")
	const (
		before = `(?m)(?:^(?: *\d\.)?|[;&|(":]|sudo|#)[ \t]*(?:build/|/usr/bin/)?praxisrelay`
		word   = `(?:"[^"\n]*"|[^\s"|&;()<>#]+)`
	)
	for _, line := range regexp.MustCompile(before+`((?: +`+word+`)+)`).FindAllStringSubmatch(code, -1) {
		args := regexp.MustCompile(word).FindAllString(line[1], -1)
		if len(args) > 1 && args[1] == "v1" { // a label in docs/protocol.md, like "praxisrelay room v1"
			continue
		}
		lines = append(lines, args)
	}
	return lines
}

// parses returns what is wrong with a command's arguments. Arguments may be missing if the command
// is incomplete.
func parses(args []string, whole bool) error {
	c, rest, err := cli.Command("", time.Now, 0).Find(args)
	if err != nil {
		return err
	}
	c.InitDefaultHelpFlag()
	c.InitDefaultVersionFlag()
	if err := c.ParseFlags(rest); err != nil {
		return err
	}
	if words := c.Flags().Args(); c.HasSubCommands() && len(words) > 0 {
		return fmt.Errorf("unknown command %q", words[0])
	}
	if !whole {
		return nil
	}
	return errors.Join(c.ValidateArgs(c.Flags().Args()), c.ValidateRequiredFlags(), c.ValidateFlagGroups())
}
