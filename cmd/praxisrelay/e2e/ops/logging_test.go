package ops

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"praxisrelay/cmd/praxisrelay/apptest"
)

// TestEveryMessageIsDocumented checks that docs/logging.md lists every message with its level, and
// no others.
func TestEveryMessageIsDocumented(t *testing.T) {
	text, err := os.ReadFile(apptest.InTree("docs", "logging.md"))
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, row := range regexp.MustCompile(
		`(?m)^\| (debug|info|warn|error) \| (.+?) \|`).FindAllStringSubmatch(string(text), -1) {
		documented[row[1]+" "+row[2]] = true
	}
	logged := loggedMessages(t)
	if len(logged) < 20 {
		t.Errorf("only %d messages were found in the code", len(logged))
	}
	for message, at := range logged {
		if !documented[message] {
			t.Errorf("%s logs %q, which docs/logging.md lacks", at, message)
		}
	}
	for message := range documented {
		if logged[message] == "" {
			t.Errorf("docs/logging.md has %q, which nothing logs", message)
		}
	}
}

// handsOn are functions that log their arguments.
var handsOn = map[string]bool{"Failed": true, "fault": true, "Unwritten": true, "unwritten": true}

// loggedMessages returns the level and message of every logging call in the tree, with its
// position.
func loggedMessages(t *testing.T) map[string]string {
	t.Helper()
	messages := map[string]string{}
	files := token.NewFileSet()
	note := func(level string, call *ast.CallExpr) {
		at := files.Position(call.Pos()).String()
		literal, ok := call.Args[0].(*ast.BasicLit)
		if !ok {
			t.Errorf("%s: the message is not a literal", at)
			return
		}
		message, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		messages[level+" "+message] = at
	}
	inspect := func(function *ast.FuncDecl) {
		ast.Inspect(function, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			called, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			of, _ := called.X.(*ast.Ident)
			switch name := called.Sel.Name; {
			case handsOn[function.Name.Name], of != nil && of.Name == "http": // or http.Error
			case handsOn[name]:
				note("error", call)
			case name == "Debug" || name == "Info" || name == "Warn" || name == "Error":
				note(strings.ToLower(name), call)
			}
			return true
		})
	}
	for _, folder := range []string{"cmd", "config", "relay", "signal", "systemd"} {
		err := filepath.WalkDir(apptest.InTree(folder),
			func(path string, entry fs.DirEntry, err error) error {
				if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
					return err
				}
				file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
				if err != nil {
					return err
				}
				for _, declared := range file.Decls {
					if function, ok := declared.(*ast.FuncDecl); ok {
						inspect(function)
					}
				}
				return nil
			})
		if err != nil {
			t.Fatal(err)
		}
	}
	return messages
}
