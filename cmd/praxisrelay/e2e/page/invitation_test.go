package page

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	_ "image/png"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"praxisrelay/cmd/praxisrelay/apptest"
)

// TestSheetInABrowser checks that a browser shows and prints the sheet on one A4 page without
// loading anything else, and that its QR code is the link.
func TestSheetInABrowser(t *testing.T) {
	t.Parallel()
	b := apptest.NewBrowser(t, "printing")
	socket, _ := apptest.StartAdmin(t, 1)
	folder := t.TempDir()
	stdout, stderr, err := apptest.Run(t, "code", "create", "--socket", socket,
		"--start", apptest.NextYear("YEAR-07-01 10:00"), "--json", "--out", folder, "--format", "html")
	if err != nil {
		t.Fatal(stderr)
	}
	var made apptest.MadeAppointment
	if err := json.Unmarshal([]byte(stdout), &made); err != nil {
		t.Fatal(err)
	}
	requests := b.WatchRequests(t)
	var files []string
	for _, seat := range made.Seats {
		file := "file://" + filepath.Join(folder, made.Appointment+"-"+seat.Seat+".html")
		files = append(files, file)
		var picture, pdf []byte
		b.Do(t, chromedp.EmulateViewport(900, 1200), chromedp.Navigate(file),
			chromedp.CaptureScreenshot(&picture),
			chromedp.ActionFunc(func(ctx context.Context) (err error) {
				pdf, _, err = page.PrintToPDF().WithPreferCSSPageSize(true).Do(ctx)
				return err
			}))
		if got := readQR(t, picture); got != seat.Link {
			t.Errorf("the QR code is %q, want %q", got, seat.Link)
		}
		if pages := regexp.MustCompile(`/Type\s*/Page\b`).FindAll(pdf, -1); len(pages) != 1 {
			t.Errorf("printed on %d pages", len(pages))
		}
		// A4 in points, as Chromium rounds it.
		if !regexp.MustCompile(`/MediaBox \[0 0 59[45][.\d]* 84[12][.\d]*\]`).Match(pdf) {
			t.Error("the sheet is not A4")
		}
	}
	if got := requests(); !slices.Equal(got, files) {
		t.Errorf("the sheets load %q, want only themselves", got)
	}
}

// readQR finds and reads a QR code in a picture.
func readQR(t *testing.T, png []byte) string {
	t.Helper()
	picture, _, err := image.Decode(bytes.NewReader(png))
	if err != nil {
		t.Fatal(err)
	}
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
