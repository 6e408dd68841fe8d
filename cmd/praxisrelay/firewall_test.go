package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"praxisrelay/config"
	"praxisrelay/relay"
	"praxisrelay/relay/check"
)

// TestFirewallDocuments: the tables in the documents are what the command prints for the
// example configuration.
func TestFirewallDocuments(t *testing.T) {
	t.Parallel()
	for language, document := range map[string]string{"en": inTree("docs/firewall.md"), "de": inTree("docs/de/firewall.md")} {
		args := []string{"firewall", "--config", "docs/praxisrelay.example.yaml", "--address", "192.0.2.10,2001:db8::10", "--format", "markdown", "--lang", language}
		c := program(args...)
		c.Dir = inTree()
		out, err := c.Output()
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		sections := strings.Split(string(out), "\n## ")[1:]
		if len(sections) != 3 {
			t.Fatalf("%d sections in\n%s", len(sections), out)
		}
		for _, section := range sections {
			if !strings.Contains(string(text), "\n## "+strings.TrimSpace(section)+"\n") {
				t.Errorf("%s lacks the section below, which praxisrelay %s prints:\n## %s", document, strings.Join(args, " "), section)
			}
		}
	}
}

func TestFirewallCommand(t *testing.T) {
	file, _ := writeConfig(t)
	example := inTree("docs/praxisrelay.example.yaml")
	for _, test := range []struct {
		args   []string
		stderr string
	}{
		{[]string{"--config", file}, "listen.https: port 0 is another one at every start, which no firewall can be told: give it a number"},
		{[]string{"--config", example, "--address", "relay"}, `--address: ParseAddr("relay"): unable to parse IP: write it like 192.0.2.10 or 2001:db8::10`},
		{[]string{"--config", example, "--address", "192.0.2.10", "--management", "192.0.2.0"}, `--management: netip.ParsePrefix("192.0.2.0"): no '/': write it like 192.0.2.0/24`},
		{[]string{"--config", example, "--address", "192.0.2.10", "--lang", "fr"}, `--lang: language "fr" is unknown: use de or en`},
		{[]string{"--config", example, "--address", "192.0.2.10", "--format", "pdf"},
			`--format: format "pdf" is unknown: use one of text, markdown, csv, json, html, nftables, iptables, firewalld, ufw`},
	} {
		_, stderr, err := run(t, append([]string{"firewall"}, test.args...)...)
		if err == nil || stderr != "praxisrelay: "+test.stderr+"\n" {
			t.Errorf("%q: %v: %s", test.args, err, stderr)
		}
	}
	stdout, stderr, err := run(t, "firewall", "--config", example, "--address", "192.0.2.10", "--management", "198.51.100.0/24", "--lang", "de")
	if err != nil || stderr != "" || !strings.Contains(stdout, "relay.example.org (192.0.2.10)") || !strings.Contains(stdout, "Verwaltungsnetz (198.51.100.0/24)") {
		t.Errorf("%v: %s\n%s", err, stderr, stdout)
	}
}

// names answers look-ups.
type names struct {
	found []string
	asked int
}

func (n *names) LookupNetIP(ctx context.Context, _, _ string) (addresses []netip.Addr, err error) {
	n.asked++
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	for _, addr := range n.found {
		addresses = append(addresses, netip.MustParseAddr(addr))
	}
	if len(addresses) == 0 {
		err = errors.New("no such host")
	}
	return addresses, err
}

// TestClientAddresses: where the name leads, or the public address of its family.
func TestClientAddresses(t *testing.T) {
	for _, test := range []struct {
		name, public string
		found, want  []string
		err          string
	}{
		{"relay.example.org", "", []string{"::ffff:192.0.2.10", "2001:db8::10"}, []string{"192.0.2.10", "2001:db8::10"}, ""},
		{"relay.example.org", "203.0.113.7", []string{"10.0.0.5", "2001:db8::10"}, []string{"203.0.113.7", "2001:db8::10"}, ""},
		{"relay.example.org", "203.0.113.7", nil, []string{"203.0.113.7"}, ""},
		{"relay.example.org", "", nil, nil, "relay.example.org does not resolve here (no such host)"},
		{"2001:db8::7", "", nil, []string{"2001:db8::7"}, ""},
	} {
		c := config.Config{Name: test.name}
		if test.public != "" {
			c.Relay.PublicAddress = netip.MustParseAddr(test.public)
		}
		addresses, err := clientAddresses(t.Context(), &names{found: test.found}, c)
		var got []string
		for _, addr := range addresses {
			got = append(got, addr.String())
		}
		if !reflect.DeepEqual(got, test.want) || (err != nil || test.err != "") && (err == nil || err.Error() != test.err) {
			t.Errorf("%+v: got %v, %v", test, got, err)
		}
	}
}

// TestFirewallPageLooksUpRarely: whoever asks for the page again and again does not
// make the appliance ask the DNS, nor does who leaves spoil the answer for others.
func TestFirewallPageLooksUpRarely(t *testing.T) {
	c := config.Default()
	c.Name = "relay.example.org"
	resolver, now := &names{found: []string{"192.0.2.10"}}, time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	bound := relay.Addresses{HTTPS: netip.MustParseAddrPort("[::]:443"), UDP: []netip.AddrPort{netip.MustParseAddrPort("[::]:3478")}}
	var leaf *x509.Certificate // none yet
	p := &pagePlan{
		config: asBound(c, bound), resolver: resolver,
		now: func() time.Time { return now }, leaf: func() *x509.Certificate { return leaf },
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 3 {
		if got := p.plan(gone); len(got.Addresses) != 1 || !got.AsOf.Equal(now) {
			t.Errorf("the plan is %+v", got)
		}
	}
	if resolver.asked != 1 {
		t.Errorf("the name was looked up %d times", resolver.asked)
	}
	// A renewed certificate is shown at once.
	for _, key := range []string{"one", "another"} {
		leaf = &x509.Certificate{RawSubjectPublicKeyInfo: []byte(key), NotAfter: now}
		if got := p.plan(gone); !bytes.Equal(got.Key.SHA256, check.Fingerprint(leaf)) || !got.Key.Ends.Equal(now) || resolver.asked != 1 {
			t.Errorf("the key is %+v", got.Key)
		}
	}
	now = now.Add(renewPage)
	resolver.found = []string{"192.0.2.11"}
	if got := p.plan(gone); got.Addresses[0] != netip.MustParseAddr("192.0.2.11") || resolver.asked != 2 {
		t.Errorf("later the plan is %+v, and the name was looked up %d times", got, resolver.asked)
	}
}

// TestFirewallPage: the page shows the ports of this appliance in the reader's language,
// under the headers of every page, without a script, on a phone and on a screen.
func TestFirewallPage(t *testing.T) {
	t.Parallel()
	s := startServe(t, nil)
	page := strings.TrimSuffix(s.url, "/") + "/firewall"
	get := func(url, accept string) (*http.Response, string) {
		t.Helper()
		request, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Accept-Language", accept)
		response, err := s.https(t).Do(request)
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
		if !strings.Contains(body, `<html lang="`+test.want+`">`) || response.Header.Get("Content-Language") != test.want {
			t.Errorf("%+v: the page is\n%.200s", test, body)
		}
		port := s.url[strings.LastIndex(s.url, ":")+1 : len(s.url)-1]
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
	// The page, the status and the tables of the command name the key that is shown.
	text, err := os.ReadFile(s.ca)
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
	if status, _, err := run(t, "status", "--socket", s.socket); err != nil || !strings.Contains(status, key) {
		t.Errorf("%v: %s is not in\n%s", err, key, status)
	}
	c := config.Default()
	c.Signal.AdminSocket = s.socket
	if got := shownKey(t.Context(), c); hex.EncodeToString(got.SHA256) != key || !got.Ends.Equal(leaf.NotAfter) {
		t.Errorf("the command is told %x until %s", got.SHA256, got.Ends)
	}
	c.Signal.AdminSocket += "none"
	if got := shownKey(t.Context(), c); got.SHA256 != nil {
		t.Errorf("no daemon told %x", got.SHA256)
	}
	front, _ := get(s.url, "en")
	shown, _ := get(page, "en")
	for _, name := range []string{"Content-Security-Policy", "Permissions-Policy", "Referrer-Policy", "X-Content-Type-Options",
		"Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy", "Cache-Control"} {
		if got, want := shown.Header.Get(name), front.Header.Get(name); got != want || got == "" {
			t.Errorf("%s is %q, want %q as on the front page", name, got, want)
		}
	}

	b := newBrowser(t, "administrator")
	b.do(t, emulation.SetScriptExecutionDisabled(true))
	for _, width := range []int64{390, 1100, 1280} {
		var wide int64
		var colour string
		b.do(t, chromedp.EmulateViewport(width, 900), chromedp.Navigate(page+"?lang=de"), chromedp.WaitVisible("table"))
		b.eval(t, `document.documentElement.scrollWidth`, &wide)
		b.eval(t, `getComputedStyle(document.querySelector('h1')).color`, &colour)
		if wide > width || colour != "rgb(8, 70, 81)" {
			t.Errorf("at %d pixels the page is %d wide, its heading %s", width, wide, colour)
		}
		b.do(t, chromedp.Click(`a[hreflang=en]`), chromedp.WaitVisible(`html[lang=en] table`))
	}
}
