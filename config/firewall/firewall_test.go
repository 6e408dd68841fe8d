package firewall

import (
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"praxisrelay/config"
	"praxisrelay/config/lang"
)

var asOf = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

// planOf returns the plan of a modified default configuration.
func planOf(t *testing.T, change func(*config.Config), addresses ...string) Plan {
	t.Helper()
	c := config.Default()
	c.Name = "relay.example.org"
	if change != nil {
		change(&c)
	}
	site := Site{AsOf: asOf}
	for _, addr := range addresses {
		site.Addresses = append(site.Addresses, netip.MustParseAddr(addr))
	}
	p, err := New(c, site)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func written(t *testing.T, p Plan, format string, l lang.Language) string {
	t.Helper()
	var b strings.Builder
	if err := p.Write(&b, format, l); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// brief returns a row on one line.
func brief(r Row) string {
	line := fmt.Sprintf("%s %s %s", r.ID, r.port(), r.Need)
	if at := r.Destination.at(); at != "" {
		line += " to " + at
	}
	if r.SourcePorts.Last > 0 {
		line += " from port " + r.sourcePort(lang.English)
	}
	if len(r.Forwarded) > 0 {
		line += " for " + list(r.Forwarded)
	}
	return line
}

func everything(c *config.Config) {
	c.TLS.ACME.Directory = "https://acme.example.org:14000/directory"
	c.Listen.HTTP, c.Signal.AdminListen, c.Metrics.Listen = ":80", "192.0.2.10:8444", ":9478"
	c.Listen.TURNUDP = append(c.Listen.TURNUDP, ":443")
	c.Relay.Peers, c.Relay.PublicAddressFrom = config.Open, "stun.example.org:3478"
}

// TestRows: what each configuration requires of firewalls. Ids do not depend on the rest of the
// configuration.
func TestRows(t *testing.T) {
	both := []string{"192.0.2.10", "2001:db8::10"}
	for name, test := range map[string]struct {
		change    func(*config.Config)
		addresses []string
		want      []string // some of the rows
		not       []string // prefixes of rows that must not exist
	}{
		"the defaults": {nil, both, []string{
			"client-https 443/TCP required to 192.0.2.10, 2001:db8::10",
			"client-turn-udp-3478 3478/UDP recommended to 192.0.2.10, 2001:db8::10",
			"client-turn-udp-3479 3479/UDP optional to 192.0.2.10, 2001:db8::10",
			"client-turn-tcp-3478 3478/TCP fallback to 192.0.2.10, 2001:db8::10",
			"client-turn-tls-5349 5349/TCP optional to 192.0.2.10, 2001:db8::10",
			"in-https 443/TCP required", "in-turn-udp-3478 3478/UDP recommended", "in-ssh 22/TCP optional",
			"out-dns-udp 53/UDP recommended", "out-dns-tcp 53/TCP recommended", "out-ntp 123/UDP required",
		}, []string{"in-relayed", "in-http ", "in-admin", "in-metrics", "out-acme", "out-stun",
			"out-relayed", "out-self"}},
		"everything": {everything, both, []string{
			"client-turn-udp-443 443/UDP fallback to 192.0.2.10, 2001:db8::10",
			"in-https 443/TCP required for 192.0.2.10",
			"in-http 80/TCP recommended for 192.0.2.10",
			"in-relayed 49152-65535/UDP required for 192.0.2.10",
			"in-admin 8444/TCP optional to 192.0.2.10", "in-metrics 9478/TCP optional",
			"out-dns-udp 53/UDP required", "out-acme 14000/TCP required", "out-stun 3478/UDP required",
			"out-relayed 1024-65535/UDP required from port 49152-65535/UDP",
		}, nil},
		"synthetic calls": {func(c *config.Config) {
			c.Metrics.SyntheticCalls = time.Minute
			c.Listen.TURNTCP = []string{"192.0.2.10:3478"}
		}, both, []string{
			"out-self-https 443/TCP optional to 192.0.2.10, 2001:db8::10",
			"out-self-turn-udp-3478 3478/UDP optional to 192.0.2.10, 2001:db8::10",
			"out-self-turn-tcp-3478 3478/TCP optional to 192.0.2.10",
		}, []string{"out-self-turn-udp-3479", "out-self-turn-tls"}},
		"behind a NAT": {func(c *config.Config) {
			c.Listen.HTTPS = "10.0.0.5:443"
			c.Relay.PublicAddress = netip.MustParseAddr("203.0.113.7")
		}, []string{"203.0.113.7"}, []string{
			"client-https 443/TCP required to 203.0.113.7",
			"in-https 443/TCP required to 10.0.0.5 for 203.0.113.7",
			"in-ssh 22/TCP optional",
		}, nil},
		"behind a NAT, not in the DNS": {func(c *config.Config) { c.Relay.PublicAddress = netip.MustParseAddr("203.0.113.7") },
			nil,
			[]string{"client-https 443/TCP required to 203.0.113.7"}, nil},
		"other ports": {func(c *config.Config) {
			c.Listen.HTTPS, c.Listen.TURNUDP, c.Listen.TURNTCP, c.Listen.TURNTLS = ":8443", []string{":53", ":443"}, nil, nil
			c.TLS.ACME.Directory, c.Listen.HTTP = "https://acme.example.org/directory", ":80"
		}, both, []string{
			"client-https 8443/TCP required to 192.0.2.10, 2001:db8::10",
			"client-turn-udp-53 53/UDP recommended to 192.0.2.10, 2001:db8::10",
			"client-turn-udp-443 443/UDP fallback to 192.0.2.10, 2001:db8::10",
			"in-http 80/TCP required", "out-acme 443/TCP required",
		}, []string{"client-turn-tcp", "client-turn-tls"}},
		"IPv6 alone": {nil, []string{"2001:db8::10"}, []string{"client-https 443/TCP required to 2001:db8::10"}, nil},
		"an address as name": {func(c *config.Config) { c.Name = "2001:db8::7" }, nil,
			[]string{"client-https 443/TCP required to 2001:db8::7"}, nil},
		"a name that does not resolve": {nil, nil, []string{"client-https 443/TCP required"}, nil},
		"a listener of one family": {func(c *config.Config) { c.Listen.TURNUDP = []string{"192.0.2.10:3478"} }, both, []string{
			"client-turn-udp-3478 3478/UDP recommended to 192.0.2.10",
			"client-turn-tcp-3478 3478/TCP fallback to 192.0.2.10, 2001:db8::10",
			"in-turn-udp-3478 3478/UDP recommended to 192.0.2.10",
		}, nil},
		"a port on several addresses": {func(c *config.Config) {
			c.Listen.TURNUDP = []string{"192.0.2.10:3478", "192.0.2.10:3479", "192.0.2.11:3478",
				"192.0.2.11:3479"}
			c.Listen.TURNTCP = []string{"192.0.2.10:3478", "[::]:3478"}
		}, both, []string{
			"in-turn-udp-3478 3478/UDP recommended to 192.0.2.10, 192.0.2.11",
			"in-turn-udp-3479 3479/UDP optional to 192.0.2.10, 192.0.2.11",
			"in-turn-tcp-3478 3478/TCP fallback",
		}, nil},
		"a link's own address": {func(c *config.Config) { c.Listen.HTTPS = "[fe80::1%eth0]:443" }, both,
			[]string{"in-https 443/TCP required to fe80::1"}, nil},
		"a STUN server by address": {func(c *config.Config) { c.Relay.PublicAddressFrom = "198.51.100.1:3478" }, both,
			[]string{"out-stun 3478/UDP required to 198.51.100.1", "out-dns-udp 53/UDP recommended"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, r := range planOf(t, test.change, test.addresses...).Rows {
				got = append(got, brief(r))
			}
			for _, want := range test.want {
				if !slices.Contains(got, want) {
					t.Errorf("%q is not in\n%s", want, strings.Join(got, "\n"))
				}
			}
			for _, not := range test.not {
				if slices.ContainsFunc(got, func(line string) bool { return strings.HasPrefix(line, not) }) {
					t.Errorf("there is %q in\n%s", not, strings.Join(got, "\n"))
				}
			}
			ids := map[string]bool{}
			for _, line := range got {
				id, _, _ := strings.Cut(line, " ")
				if ids[id] {
					t.Errorf("%s is there twice", id)
				}
				ids[id] = true
			}
		})
	}
}

func TestPortsThatAreNotFixed(t *testing.T) {
	for key, change := range map[string]func(*config.Config){
		"listen.https":        func(c *config.Config) { c.Listen.HTTPS = ":0" },
		"listen.turn_tcp[1]":  func(c *config.Config) { c.Listen.TURNTCP[1] = "192.0.2.1:0" },
		"signal.admin_listen": func(c *config.Config) { c.Signal.AdminListen = ":0" },
	} {
		c := config.Default()
		c.Name = "relay.example.org"
		change(&c)
		want := key + ": port 0 changes with every start, so no firewall rule can name it: give it a number"
		if _, err := New(c, Site{}); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	// Listeners only on loopback are in no table.
	p := planOf(t, func(c *config.Config) { c.Signal.AdminListen = "127.0.0.1:0" })
	if slices.ContainsFunc(p.Rows, func(r Row) bool { return r.ID == "in-admin" }) {
		t.Error("a listener on loopback has a row")
	}
}

// TestEveryIDInEveryFormat: tables have all rows; files for the appliance's own firewall have all
// of its rows.
func TestEveryIDInEveryFormat(t *testing.T) {
	p := planOf(t, everything, "192.0.2.10", "2001:db8::10")
	for _, format := range Formats() {
		for _, l := range []lang.Language{lang.German, lang.English} {
			text := written(t, p, format, l)
			ofTheAppliance := slices.Contains([]string{"nftables", "iptables", "firewalld", "ufw"}, format)
			for _, r := range p.Rows {
				has := regexp.MustCompile(`\b` + r.ID + `\b($|[^-])`).MatchString(text)
				if want := !ofTheAppliance || r.Table != ClientEgress; has != want {
					t.Errorf("%s in %s: %s is there: %v, want %v", format, l, r.ID, has, want)
				}
			}
			if strings.Contains(text, "%!") || strings.Contains(text, "%[") {
				t.Errorf("%s in %s has a text without its arguments:\n%s", format, l, text)
			}
		}
	}
	if err := p.Write(new(strings.Builder), "pdf", lang.German); err == nil ||
		err.Error() != `format "pdf" is unknown: use one of `+strings.Join(Formats(), ", ") {
		t.Errorf("got %v", err)
	}
}

// TestKeyOfTheCertificate: if the key is known, every table for people states it, how long it
// holds, and how it is used.
func TestKeyOfTheCertificate(t *testing.T) {
	for _, test := range []struct{ https, page string }{{":443", "https://relay.example.org/"},
		{":8443", "https://relay.example.org:8443/"}} {
		p := planOf(t, func(c *config.Config) { c.Listen.HTTPS = test.https }, "192.0.2.10")
		for _, known := range []bool{false, true} {
			if known {
				p.Key = Key{SHA256: []byte{0xab, 0xcd, 0xef}, Ends: asOf.AddDate(0, 2, 0)}
			}
			for _, format := range []string{"text", "markdown", "html", "json"} {
				for _, l := range []lang.Language{lang.German, lang.English} {
					text := written(t, p, format, l)
					for _, want := range []string{"abcdef", "2027-02-01", "praxisrelay check " + test.page + " --fingerprint"} {
						if strings.Contains(text, want) != known {
							t.Errorf("%s in %s: %q is there: %v", format, l, want, !known)
						}
					}
				}
			}
		}
	}
}

// TestAdvice: what works with which ports open, and what is not needed, for each configuration.
func TestAdvice(t *testing.T) {
	said := func(p Plan, l lang.Language) string {
		var all []string
		for _, table := range Tables {
			all = append(all, p.Advice(table, l)...)
		}
		return strings.Join(all, "\n")
	}
	for name, test := range map[string]struct {
		change    func(*config.Config)
		want, not []string
	}{
		"the defaults": {nil, []string{
			"With only 443/TCP everything works.", "With 443/TCP and 3478/UDP the quality is best",
			"With 443/TCP and 3478/TCP, without UDP",
			"Without 443/TCP nothing works", "Optional rows", "Incoming rules, port forwarding",
			"The server needs no port range", "Nothing else goes out",
		}, []string{"49152", "NAT is in front", "certificate authority", "443/UDP", "let out only 443/TCP"}},
		"everything": {everything, []string{
			"443/UDP does the same", "needs 49152-65535/UDP in both directions", "A NAT is in front",
			"443/TCP (TLS-ALPN-01) or 80/TCP (HTTP-01)", "sends from 49152-65535/UDP",
		}, []string{"no port range", "Nothing else goes out"}},
		"one other port": {func(c *config.Config) {
			c.Listen.HTTPS, c.Listen.TURNUDP, c.Listen.TURNTCP, c.Listen.TURNTLS = ":8443", nil, nil, nil
			c.TLS.ACME.Directory = "https://acme.example.org/directory"
		}, []string{"With only 8443/TCP everything works.", "8443/TCP will be closed there",
			"and the server listens on neither"},
			[]string{"quality is best", "without UDP", "Optional rows", "ALPN"}},
		"ACME on 443": {func(c *config.Config) { c.TLS.ACME.Directory = "https://acme.example.org/directory" },
			[]string{"checks the name over 443/TCP (TLS-ALPN-01) from"}, []string{"HTTP-01"}},
		"ACME on 80": {func(c *config.Config) {
			c.TLS.ACME.Directory, c.Listen.HTTPS, c.Listen.HTTP = "https://acme.example.org/directory", ":8443", ":80"
		}, []string{"checks the name over 80/TCP (HTTP-01) from"}, []string{"ALPN"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := planOf(t, test.change, "192.0.2.10")
			text := said(p, lang.English)
			for _, want := range test.want {
				if !strings.Contains(text, want) {
					t.Errorf("%q is missing in\n%s", want, text)
				}
			}
			for _, not := range test.not {
				if strings.Contains(text, not) {
					t.Errorf("%q is in\n%s", not, text)
				}
			}
			if german := said(p, lang.German); strings.Count(german, "\n") != strings.Count(text, "\n") {
				t.Errorf("the German has other sentences:\n%s", german)
			}
		})
	}
}

// TestTexts: every text exists in both languages, and none twice.
func TestTexts(t *testing.T) {
	seen, count := map[text]string{}, 0
	var visit func(name string, v reflect.Value)
	visit = func(name string, v reflect.Value) {
		if said, ok := v.Interface().(text); ok {
			count++
			if said[0] == "" || said[1] == "" {
				t.Errorf("%s is not said in both languages: %q", name, said)
			}
			if other, twice := seen[said]; twice {
				t.Errorf("%s and %s are the same: %q", name, other, said)
			}
			seen[said] = name
			return
		}
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				visit(v.Type().Field(i).Name, v.Field(i))
			}
		case reflect.Map:
			for _, key := range v.MapKeys() {
				visit(fmt.Sprint(name, ".", key), v.MapIndex(key))
			}
		}
	}
	visit("", reflect.ValueOf(struct{ Texts any }{texts}.Texts))
	if count < 60 {
		t.Errorf("only %d texts were looked at", count)
	}
}

// hostile returns a plan with names that no valid configuration has.
func hostile(t *testing.T) Plan {
	p := planOf(t, everything, "192.0.2.10")
	p.Name = `=cmd|"<script>alert(1)</script>`
	for i := range p.Rows {
		if p.Rows[i].Destination.Name != "" {
			p.Rows[i].Destination.Name = "=HYPERLINK(\"<b>\";1)|`x`,\n;"
		}
	}
	return p
}

// TestCSV: every row has the same columns, the German form suits German spreadsheets, and no cell
// is a formula.
func TestCSV(t *testing.T) {
	for l, comma := range map[lang.Language]rune{lang.German: ';', lang.English: ','} {
		for _, p := range []Plan{planOf(t, everything, "192.0.2.10", "2001:db8::10"), hostile(t)} {
			text := written(t, p, "csv", l)
			rest, marked := strings.CutPrefix(text, "\ufeff")
			if marked != (l == lang.German) || !strings.HasSuffix(text, "\r\n") {
				t.Errorf("%s: byte order mark %v; ends in %q", l, marked, text[len(text)-2:])
			}
			r := csv.NewReader(strings.NewReader(rest))
			r.Comma = comma
			rows, err := r.ReadAll()
			if err != nil || len(rows) != len(p.Rows)+1 || len(rows[0]) != 17 {
				t.Fatalf("%s: %d rows, %v", l, len(rows), err)
			}
			for i, row := range rows[1:] {
				if row[1] != p.Rows[i].ID || row[9] != span(p.Rows[i].Ports, "-") || row[16] != "2026-12-01" {
					t.Errorf("%s: row %q", l, row)
				}
				for _, cell := range row {
					if len(cell) > 1 && strings.ContainsAny(cell[:1], "=+-@\t\r") {
						t.Errorf("%q is a formula", cell)
					}
				}
			}
		}
	}
}

// TestJSON: the structure documented in docs/firewall.md, the same in every language.
func TestJSON(t *testing.T) {
	for _, l := range []lang.Language{lang.German, lang.English} {
		text := written(t, planOf(t, everything, "192.0.2.10", "2001:db8::10"), "json", l)
		if strings.Contains(text, "null") {
			t.Errorf("there is null in\n%s", text)
		}
		d := json.NewDecoder(strings.NewReader(text))
		d.DisallowUnknownFields()
		var p jsonPlan
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if p.Version != 1 || p.AsOf != "2026-12-01" || len(p.Tables) != 3 || p.Tables[0].ID != ClientEgress {
			t.Errorf("got %+v", p)
		}
		row := p.Tables[2].Rows[len(p.Tables[2].Rows)-1]
		if row.ID != "out-relayed" || row.Initiator != Appliance ||
			*row.SourcePorts != (jsonPorts{49152, 65535}) || row.Ports != (jsonPorts{1024, 65535}) {
			t.Errorf("the last row is %+v", row)
		}
	}
	var p jsonPlan
	if err := json.Unmarshal([]byte(written(t, hostile(t), "json", lang.German)), &p); err != nil {
		t.Error(err)
	}
}

// TestMarkup: names stay text in HTML, Markdown and XML, and the document to print loads nothing.
func TestMarkup(t *testing.T) {
	p := hostile(t)
	html := written(t, p, "html", lang.German)
	for _, want := range []string{`<html lang="de">`, "size: A4", "&lt;script&gt;", "client-turn-udp-3478"} {
		if !strings.Contains(html, want) {
			t.Errorf("%q is missing in the document", want)
		}
	}
	if found := regexp.MustCompile(`(?i)(\b\w+:)?//|<script|<b>|<link|<img|<iframe|@import|url\(|\bsrc=`).FindString(html); found != "" {
		t.Errorf("the document has %q", found)
	}
	markdown := written(t, p, "markdown", lang.English)
	if strings.Contains(markdown, "<") {
		t.Errorf("there is markup in\n%s", markdown)
	}
	cells := regexp.MustCompile(`(^|[^\\])\|`)
	want := 0
	for line := range strings.Lines(markdown) {
		if !strings.HasPrefix(line, "|") {
			want = 0
			continue
		}
		n := len(cells.FindAllString(line, -1))
		if want == 0 {
			want = n
		}
		if n != want {
			t.Errorf("%d cells, want %d: %s", n, want, line)
		}
	}
	var service struct {
		Ports []struct {
			Protocol string `xml:"protocol,attr"`
			Port     string `xml:"port,attr"`
		} `xml:"port"`
	}
	if err := xml.Unmarshal([]byte(written(t, p, "firewalld", lang.German)), &service); err != nil ||
		len(service.Ports) < 9 {
		t.Errorf("%+v, %v", service, err)
	}
}

// TestRuleSetsOfOneFamily: a rule with addresses exists only for their family, and not at all if
// its ends have no family in common.
func TestRuleSetsOfOneFamily(t *testing.T) {
	c := config.Default()
	c.Name, c.Listen.HTTPS, c.Signal.AdminListen = "relay.example.org", "192.0.2.10:443", "[2001:db8::10]:8444"
	p, err := New(c, Site{AsOf: asOf, Management: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24")}})
	if err != nil {
		t.Fatal(err)
	}
	nftables, iptables := written(t, p, "nftables", lang.English), written(t, p, "iptables", lang.English)
	for _, want := range []string{
		`ip daddr { 192.0.2.10 } tcp dport 443 accept comment "in-https"`,
		`ip saddr { 192.0.2.0/24, 198.51.100.0/24 } tcp dport 22 accept comment "in-ssh"`,
		"\t\tudp dport 3478 accept comment \"in-turn-udp-3478\"\n",
	} {
		if !strings.Contains(nftables, want) {
			t.Errorf("%q is missing in\n%s", want, nftables)
		}
	}
	for _, want := range []string{
		`-4 -A PRAXISRELAY-IN -d 192.0.2.10 -p tcp --dport 443 -j RETURN -m comment --comment "in-https"`,
		`-4 -A PRAXISRELAY-IN -s 192.0.2.0/24,198.51.100.0/24 -p tcp --dport 22 `,
		"\n-A PRAXISRELAY-IN -p udp --dport 3478 ",
	} {
		if !strings.Contains(iptables, want) {
			t.Errorf("%q is missing in\n%s", want, iptables)
		}
	}
	if strings.Contains(nftables, "in-admin") || strings.Contains(iptables, "in-admin") {
		t.Error("the admin API listens where no management network can get, and is open")
	}
}
