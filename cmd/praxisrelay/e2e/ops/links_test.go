package ops

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// checkLinks checks that every link of a document to a file or a heading leads somewhere.
func checkLinks(t *testing.T, path, text string) {
	t.Helper()
	for _, link := range regexp.MustCompile(`\]\(([^)#:]*)(?:#([^)]+))?\)`).FindAllStringSubmatch(text, -1) {
		target := path
		if link[1] != "" {
			target = filepath.Join(filepath.Dir(path), link[1])
		}
		if _, err := os.Stat(target); err != nil {
			t.Errorf("%s links to %s: %v", path, link[1], err)
		} else if link[2] != "" && !slices.Contains(anchors(t, target), link[2]) {
			t.Errorf("%s links to #%s, which %s has not", path, link[2], target)
		}
	}
}

// anchors returns the fragments for links to a document's headings.
func anchors(t *testing.T, path string) (anchors []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllSubmatch(text, -1) {
		kept := regexp.MustCompile(`[^\pL\pN _-]`).ReplaceAllString(strings.ToLower(string(heading[1])), "")
		anchors = append(anchors, strings.ReplaceAll(kept, " ", "-"))
	}
	return anchors
}
