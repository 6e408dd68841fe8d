package terminal

import "testing"

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"": "",
		"Prüfung: „gut“, 10\u00a0ms \\ \"x\"": "Prüfung: „gut“, 10\u00a0ms \\ \"x\"",
		"\x1b[2Ja":        `\x1b[2Ja`,
		"a\tb\r\nc\x7f":   `a\tb\r\nc\x7f`,
		"\u009b1m\u202eb": `\u009b1m\u202eb`,
		"\xffa":           `\xffa`,
		"\ufffd":          "\ufffd",
	} {
		if got := Printable(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
