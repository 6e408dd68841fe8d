package sitecheck

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"praxisrelay/config/lang"
	"praxisrelay/relay/check"
)

// TestCheckHasWordsForEverything also checks that docs/check.md lists every reason.
func TestCheckHasWordsForEverything(t *testing.T) {
	source, err := os.ReadFile(filepath.Join("..", "..", "..", "relay", "check", "reason.go"))
	if err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "check.md"))
	if err != nil {
		t.Fatal(err)
	}
	// The report has words for the values of probes outside the matrix; ICE's time is in its cell.
	measuring := regexp.MustCompile(
		"(?m)^\\| `(?:dns|http|code|websocket|nat|ice|quality)`[^|]*\\|[^|]*\\| ([^|]*) \\|$").FindAllSubmatch(document, -1)
	if len(measuring) != 7 {
		t.Errorf("%d rows of what probes measure", len(measuring))
	}
	for _, match := range measuring {
		for _, name := range regexp.MustCompile("[a-z0-9_]+").FindAllString(string(match[1]), -1) {
			if name != "connected_ms" && name != "status" &&
				!slices.ContainsFunc(checkTexts.values, func(v checkValue) bool { return v.name == name }) {
				t.Errorf("%s has no words", name)
			}
		}
	}
	for _, kind := range []string{check.NoNAT, check.EndpointIndependent, check.AddressDependent,
		check.EndpointDependent, check.SamePorts} {
		if checkTexts.mappings[kind][0] == "" || checkTexts.mappings[kind][1] == "" {
			t.Errorf("%s has no words", kind)
		}
	}
	reasons := regexp.MustCompile(`Reason = "([a-z-]+)"`).FindAllSubmatch(source, -1)
	if len(reasons) < 20 {
		t.Fatalf("%d reasons", len(reasons))
	}
	for _, match := range reasons {
		reason := check.Reason(match[1])
		for _, language := range []lang.Language{lang.German, lang.English} {
			if checkTexts.reasons[reason].In(language) == "" {
				t.Errorf("%s has no words in %s", reason, language)
			}
		}
		if !strings.Contains(string(document), "`"+string(reason)+"`") {
			t.Errorf("docs/check.md does not explain %s", reason)
		}
	}
}
