package invitation

import (
	"encoding/xml"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// read finds and reads a QR code in an image, as a phone does.
func read(t *testing.T, picture image.Image) string {
	t.Helper()
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	if err != nil {
		t.Fatal(err)
	}
	result, err := qrcode.NewQRCodeReader().Decode(bitmap, nil)
	if err != nil {
		t.Fatal(err)
	}
	return result.GetText()
}

// canvas paints modules of four pixels on a colored background.
type canvas struct{ *image.RGBA }

func newCanvas(width, height int, background color.Color) canvas {
	c := canvas{image.NewRGBA(image.Rect(0, 0, width*4, height*4))}
	draw.Draw(c, c.Bounds(), image.NewUniform(background), image.Point{}, draw.Src)
	return c
}

func (c canvas) fill(x, y, width, height int, colour color.Color) {
	draw.Draw(c, image.Rect(x*4, y*4, (x+width)*4, (y+height)*4), image.NewUniform(colour), image.Point{}, draw.Src)
}

var links = []string{
	"https://relay.example.org/#KTRW-BZMF-QHDF",
	"https://r.de/#BBBB-BBBB-BBBB",
	"https://video-consultation.hospital-with-a-long-name.example.org:8443/#KTRW-BZMF-QHDF",
}

// TestSVGCanBeRead: the image, drawn from its source, reads as the link.
func TestSVGCanBeRead(t *testing.T) {
	for _, link := range links {
		qr, err := NewQR(link)
		if err != nil {
			t.Fatal(err)
		}
		var svg struct {
			ViewBox string `xml:"viewBox,attr"`
			Path    struct {
				D string `xml:"d,attr"`
			} `xml:"path"`
		}
		if err := xml.Unmarshal([]byte(qr.SVG()), &svg); err != nil {
			t.Fatal(err)
		}
		var size, same int
		if _, err := fmt.Sscanf(svg.ViewBox, "0 0 %d %d", &size, &same); err != nil || size != same {
			t.Fatalf("the view box is %q", svg.ViewBox)
		}
		picture := newCanvas(size, size, color.White)
		for _, run := range strings.SplitAfter(svg.Path.D, "z") {
			var x, y, width, back int
			if run == "" {
				continue
			}
			if _, err := fmt.Sscanf(run, "M%d %dh%dv1h%dz", &x, &y, &width, &back); err != nil || back != -width {
				t.Fatalf("the path has %q", run)
			}
			picture.fill(x, y, width, 1, color.Black)
		}
		if got := read(t, picture); got != link {
			t.Errorf("read %q, want %q", got, link)
		}
	}
}

// TestTerminalCanBeRead on a dark and on a light background.
func TestTerminalCanBeRead(t *testing.T) {
	for _, background := range []color.Color{color.Black, color.White} {
		for _, link := range links {
			qr, err := NewQR(link)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSuffix(qr.Terminal(), "\n"), "\n")
			picture := newCanvas(qr.size()+20, 2*len(lines)+20, background)
			for y, line := range lines {
				line, coloured := strings.CutPrefix(line, "\x1b[38;5;16;48;5;231m")
				line, reset := strings.CutSuffix(line, "\x1b[0m")
				if !coloured || !reset {
					t.Fatalf("the colours of line %d are not set and reset", y)
				}
				for x, character := range []rune(line) {
					picture.fill(10+x, 10+2*y, 1, 2, color.White)
					switch character {
					case '█':
						picture.fill(10+x, 10+2*y, 1, 2, color.Black)
					case '▀':
						picture.fill(10+x, 10+2*y, 1, 1, color.Black)
					case '▄':
						picture.fill(10+x, 11+2*y, 1, 1, color.Black)
					case ' ':
					default:
						t.Fatalf("%q is no block", character)
					}
				}
			}
			if got := read(t, picture); got != link {
				t.Errorf("read %q, want %q", got, link)
			}
		}
	}
}

func TestQRSaysWhatIsTooLong(t *testing.T) {
	if _, err := NewQR(strings.Repeat("x", 3000)); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("said %v", err)
	}
}
