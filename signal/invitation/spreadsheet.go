package invitation

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// maxListBytes is several times the size of a list of MaxRows.
const maxListBytes = 1 << 20

var errNotSaved = errors.New("the list is not a text: save it from the spreadsheet as CSV in UTF-8")

// readLines returns the lines of text saved by a spreadsheet, with any system's line ends: in
// UTF-8, in UTF-16 ("Unicode text"), or in a code page like Windows-1252, which needs no decoding
// since no value of a list has a letter beyond ASCII.
func readLines(r io.Reader) ([]string, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxListBytes+1))
	if err != nil {
		return nil, fmt.Errorf("the list cannot be read: %w", err)
	}
	if len(text) > maxListBytes {
		return nil, fmt.Errorf("the list has more than %d bytes: is it a CSV file?", maxListBytes)
	}
	if text, _, err = transform.Bytes(unicode.BOMOverride(transform.Nop), text); err != nil {
		return nil, errNotSaved
	}
	// The spreadsheet's own format, and UTF-16 without its mark, always contain a zero.
	if bytes.IndexByte(text, 0) >= 0 {
		return nil, errNotSaved
	}
	return strings.Split(lineEnds.Replace(string(text)), "\n"), nil
}

var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// separatorLine matches a first line that people write for Excel. If it is a cell of the sheet, it
// is saved with quotes, followed by the separators of the other columns.
var separatorLine = regexp.MustCompile(`(?i)^"?sep=([,;|\t])"?[,;|\t]*$`)

// separatorOf returns the separator of the column names in a line.
func separatorOf(names string) rune {
	for _, comma := range ",;\t|" {
		if strings.ContainsRune(names, comma) {
			return comma
		}
	}
	return ','
}
