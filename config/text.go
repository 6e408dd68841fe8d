package config

import (
	"bytes"
	"errors"
)

// PlainText removes from a text file what Windows editors add: a byte order mark at the start,
// which would become part of the first key, and CR before LF. UTF-16 is an error.
func PlainText(text []byte) ([]byte, error) {
	for _, mark := range [][]byte{{0xff, 0xfe}, {0xfe, 0xff}} {
		if bytes.HasPrefix(text, mark) {
			return nil, errUTF16
		}
	}
	if len(text) > 1 && (text[0] == 0) != (text[1] == 0) { // without a mark
		return nil, errUTF16
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	return bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), nil
}

var errUTF16 = errors.New("the text is in UTF-16, which Windows also calls Unicode: save it as UTF-8")
