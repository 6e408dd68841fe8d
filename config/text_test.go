package config

import (
	"net"
	"strings"
	"testing"
	"unicode/utf16"
)

// utf16Of encodes a text as editors on Windows do.
func utf16Of(text string, bigEndian bool) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(text)) {
		pair := []byte{byte(unit), byte(unit >> 8)}
		if bigEndian {
			pair[0], pair[1] = pair[1], pair[0]
		}
		b.Write(pair)
	}
	return b.String()
}

// TestFilesFromWindows: a byte order mark and CRLF change nothing, UTF-16 is reported.
func TestFilesFromWindows(t *testing.T) {
	const unix = "name: relay.example.org\ntls: {certificate: /c, key: /k}\nrelay:\n  peers: open\n"
	want, err := Parse("f", []byte(unix))
	if err != nil {
		t.Fatal(err)
	}
	windows := strings.ReplaceAll(unix, "\n", "\r\n")
	for name, text := range map[string]string{"a mark": "\ufeff" + unix, "CRLF": windows, "both": "\ufeff" + windows} {
		if got, err := Parse("f", []byte(text)); err != nil || len(Changes(want, got)) > 0 {
			t.Errorf("%s: %v, and %v differ", name, err, Changes(want, got))
		}
	}
	_, err = Parse("f", []byte("\ufeff"+strings.Replace(windows, "open", "any", 1)))
	mistakes, ok := err.(Mistakes)
	if !ok || len(mistakes) != 1 || mistakes[0].Line != 4 || strings.Contains(mistakes[0].Excerpt(), "\r") {
		t.Errorf("a mistake in line 4: %v", err)
	}
	for name, text := range map[string]string{
		"little-endian": utf16Of("\ufeff"+windows, false), "big-endian": utf16Of("\ufeff"+windows, true),
		"without a mark": utf16Of(windows, false), "neither": utf16Of(windows, true),
	} {
		_, err := Parse("f", []byte(text))
		if mistakes, ok := err.(Mistakes); !ok || len(mistakes) != 1 ||
			!strings.Contains(err.Error(), "UTF-16") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestMaxSocketPath is the kernel's limit.
func TestMaxSocketPath(t *testing.T) {
	t.Chdir(t.TempDir())
	for length, fits := range map[int]bool{maxSocketPath: true, maxSocketPath + 1: false} {
		listener, err := net.Listen("unix", strings.Repeat("x", length))
		if (err == nil) != fits {
			t.Errorf("%d bytes: %v", length, err)
		}
		if err == nil {
			listener.Close()
		}
	}
}
