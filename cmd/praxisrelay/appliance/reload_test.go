package appliance

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/config"
)

// TestDocumentTellsWhatIsReloaded checks that docs/operation.md is right about every key.
func TestDocumentTellsWhatIsReloaded(t *testing.T) {
	text, err := os.ReadFile(apptest.InTree("docs", "operation.md"))
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	for _, row := range regexp.MustCompile(
		"(?m)^\\| (`[a-z_.`, ]+) \\| (reload|restart) \\|").FindAllStringSubmatch(string(text), -1) {
		for _, key := range regexp.MustCompile("`([a-z_.]+)`").FindAllStringSubmatch(row[1], -1) {
			said[key[1]] = row[2] == "reload"
		}
	}
	keys := config.Keys()
	for _, key := range keys {
		if reload, ok := said[key]; !ok || reload != slices.Contains(reloadable, key) {
			t.Errorf("docs/operation.md has for %s: reload %v, %v", key, reload, ok)
		}
	}
	if len(said) != len(keys) {
		t.Errorf("the document lists %d keys of %d", len(said), len(keys))
	}
	for _, key := range reloadable {
		if !slices.Contains(keys, key) {
			t.Errorf("%s is not a key", key)
		}
	}
}
