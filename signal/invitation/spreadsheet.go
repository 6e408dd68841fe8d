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

// maxListBytes is several times what a list of MaxRows has.
const maxListBytes = 1 << 20

var errNotSaved = errors.New("the list is not a text: save it from the spreadsheet as CSV in UTF-8")

// readLines returns the lines of what a spreadsheet saved as text, with the line ends of any
// system: in UTF-8, in UTF-16 ("Unicode text"), or in a code page like Windows-1252. That
// one needs no decoding, since no value of a list has a letter beyond ASCII.
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
	// Neither the spreadsheet's own file nor UTF-16 without its mark is without a zero.
	if bytes.IndexByte(text, 0) >= 0 {
		return nil, errNotSaved
	}
	return strings.Split(lineEnds.Replace(string(text)), "\n"), nil
}

var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// separatorLine is what people write into the first line for Excel. Where it is a cell of the
// sheet, it is saved with quotes and with the separators of the other columns behind it.
var separatorLine = regexp.MustCompile(`(?i)^"?sep=([,;|\t])"?[,;|\t]*$`)

// separatorOf returns what separates the column names in a line.
func separatorOf(names string) rune {
	for _, comma := range ",;\t|" {
		if strings.ContainsRune(names, comma) {
			return comma
		}
	}
	return ','
}
