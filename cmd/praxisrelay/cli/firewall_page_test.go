package cli

import (
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/config"
	"praxisrelay/relay/check"
)

// TestFirewallPage checks that the page shows this appliance's ports in the reader's language,
// under the headers that every page has, without a script, on a phone and on a screen.
func TestFirewallPage(t *testing.T) {
	t.Parallel()
	s := apptest.StartServe(t, nil)
	page := strings.TrimSuffix(s.URL, "/") + "/firewall"
	get := func(url, accept string) (*http.Response, string) {
		t.Helper()
		request, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Accept-Language", accept)
		response, err := s.HTTPS(t).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s: %v, %v", url, response.Status, err)
		}
		return response, string(body)
	}
	for _, test := range []struct{ query, accept, want string }{
		{"", "de-AT, en;q=0.5", "de"}, {"", "en, de;q=0.9", "en"}, {"", "fr", "en"}, {"", "", "en"},
		{"?lang=de", "en", "de"}, {"?lang=en", "de", "en"}, {"?lang=xx", "de", "de"},
	} {
		response, body := get(page+test.query, test.accept)
		if !strings.Contains(body, `<html lang="`+test.want+`">`) ||
			response.Header.Get("Content-Language") != test.want {
			t.Errorf("%+v: the page is\n%.200s", test, body)
		}
		port := s.URL[strings.LastIndex(s.URL, ":")+1 : len(s.URL)-1]
		for _, want := range []string{"client-https", port + "/TCP", "client-turn-udp-", "127.0.0.1"} {
			if !strings.Contains(body, want) {
				t.Errorf("%q is missing in the page", want)
			}
		}
		for _, not := range []string{"<script", "<style", "style=", "in-https", "out-", "in-ssh"} {
			if strings.Contains(body, not) {
				t.Errorf("the page has %q", not)
			}
		}
	}
	// The page, the status and the command's tables show the key in use.
	text, err := os.ReadFile(s.CA)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	key := hex.EncodeToString(check.Fingerprint(leaf))
	if _, body := get(page, "en"); !strings.Contains(body, key) {
		t.Errorf("%s is not on the page", key)
	}
	if status, _, err := apptest.Run(t, "status", "--socket", s.Socket); err != nil ||
		!strings.Contains(status, key) {
		t.Errorf("%v: %s is not in\n%s", err, key, status)
	}
	c := config.Default()
	c.Signal.AdminSocket = s.Socket
	if got := shownKey(t.Context(), c); hex.EncodeToString(got.SHA256) != key ||
		!got.Ends.Equal(leaf.NotAfter) {
		t.Errorf("the command got %x until %s", got.SHA256, got.Ends)
	}
	c.Signal.AdminSocket += "none"
	if got := shownKey(t.Context(), c); got.SHA256 != nil {
		t.Errorf("got %x without a daemon", got.SHA256)
	}
	front, _ := get(s.URL, "en")
	shown, _ := get(page, "en")
	for _, name := range []string{"Content-Security-Policy", "Permissions-Policy", "Referrer-Policy",
		"X-Content-Type-Options",
		"Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy", "Cache-Control"} {
		if got, want := shown.Header.Get(name), front.Header.Get(name); got != want || got == "" {
			t.Errorf("%s is %q, want %q as on the front page", name, got, want)
		}
	}

	b := apptest.NewBrowser(t, "administrator")
	b.Do(t, emulation.SetScriptExecutionDisabled(true))
	for _, width := range []int64{390, 1100, 1280} {
		var wide int64
		var colour string
		b.Do(t, chromedp.EmulateViewport(width, 900), chromedp.Navigate(page+"?lang=de"),
			chromedp.WaitVisible("table"))
		b.Eval(t, `document.documentElement.scrollWidth`, &wide)
		b.Eval(t, `getComputedStyle(document.querySelector('h1')).color`, &colour)
		if wide > width || colour != "rgb(8, 70, 81)" {
			t.Errorf("at %d pixels the page is %d wide, its heading %s", width, wide, colour)
		}
		b.Do(t, chromedp.Click(`a[hreflang=en]`), chromedp.WaitVisible(`html[lang=en] table`))
	}
}
