package invitation

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// quiet is the margin in modules that a QR code needs (ISO/IEC 18004).
const quiet = 4

// QR is a QR code. Its zero value is not a code.
type QR struct{ code *qr.Code }

// NewQR returns the QR code of a link. Its error correction of 15 % keeps it readable on creased
// paper or a screen with reflections.
func NewQR(link string) (QR, error) {
	code, err := qr.Encode(link, qr.M)
	if err != nil {
		return QR{}, fmt.Errorf("the link cannot be a QR code: its address is too long, shorten the configured name")
	}
	return QR{code}, nil
}

// size returns the width and height in modules, margin included.
func (q QR) size() int { return q.code.Size + 2*quiet }

// black reports whether a module is black; the margin is not.
func (q QR) black(x, y int) bool { return q.code.Black(x-quiet, y-quiet) }

// SVG returns the code as a scalable image, one unit per module.
func (q QR) SVG() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %[1]d" shape-rendering="crispEdges">`, q.size())
	fmt.Fprintf(&b, `<rect width="%d" height="%[1]d" fill="#fff"/><path fill="#000" d="`, q.size())
	for y := range q.size() {
		for x := 0; x < q.size(); x++ {
			run := 0
			for q.black(x+run, y) {
				run++
			}
			if run > 0 {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", x, y, run, run)
				x += run
			}
		}
	}
	b.WriteString("\"/></svg>\n")
	return b.String()
}

// Terminal returns the code in half blocks, two stacked modules per character. It sets both colors
// to ones that no theme changes, so that it is readable on dark and light backgrounds.
func (q QR) Terminal() string {
	const blackOnWhite, reset = "\x1b[38;5;16;48;5;231m", "\x1b[0m"
	var b strings.Builder
	for y := 0; y < q.size(); y += 2 {
		b.WriteString(blackOnWhite)
		for x := range q.size() {
			switch upper, lower := q.black(x, y), q.black(x, y+1); {
			case upper && lower:
				b.WriteString("█")
			case upper:
				b.WriteString("▀")
			case lower:
				b.WriteString("▄")
			default:
				b.WriteString(" ")
			}
		}
		b.WriteString(reset + "\n")
	}
	return b.String()
}
