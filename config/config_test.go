package config

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

const least = "name: relay.example.org\ntls: {certificate: c.pem, key: k.pem}\n"

func TestDefaultsHoldForUnsetKeys(t *testing.T) {
	c, err := Parse("x.yaml", []byte(least+"relay:\n  max_session: 2h\nlisten:\n  turn_udp: ['[::]:3478']\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Name, want.TLS.Certificate, want.TLS.Key = "relay.example.org", "c.pem", "k.pem"
	want.Relay.MaxSession, want.Listen.TURNUDP = 2*time.Hour, []string{"[::]:3478"}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v, want %+v", c, want)
	}
}

// TestExampleEqualsTheDefaults: the shipped example shows every key with its default.
func TestExampleEqualsTheDefaults(t *testing.T) {
	c, err := Load("../docs/praxisrelay.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Name = "relay.example.org"
	want.TLS.Certificate, want.TLS.Key = "/etc/praxisrelay/tls/fullchain.pem", "/etc/praxisrelay/tls/privkey.pem"
	if !same(c, want) {
		t.Errorf("the example is %+v, want %+v", c, want)
	}
}

// same compares two configurations. An empty list equals none.
func same(a, b Config) bool {
	for _, c := range []*Config{&a, &b} {
		for _, list := range []*[]netip.Prefix{&c.Relay.Allow, &c.Relay.Deny, &c.Listen.ProxyProtocolFrom} {
			if len(*list) == 0 {
				*list = nil
			}
		}
		if len(c.Relay.Addresses) == 0 {
			c.Relay.Addresses = nil
		}
	}
	return reflect.DeepEqual(a, b)
}

// TestMistakes: all mistakes are reported at once, each with its line and a remedy.
func TestMistakes(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"empty": {"", []string{
			"x.yaml: name: missing: set it to the DNS name that clients use, like relay.example.org",
			"x.yaml: tls.certificate: missing: set it to the file of the certificate chain (PEM), or set tls.acme.directory",
			"x.yaml: tls.key: missing: set it to the file of the certificate's private key (PEM)",
		}},
		"unknown keys": {least + "nam: x\nrelay:\n  secret: hunter2\n", []string{
			"x.yaml:3: nam: unknown key: use one of name, tls, listen, relay, signal, metrics, log, drain_timeout",
			"x.yaml:5: relay.secret: unknown key: use one of " + strings.Join(namesOf(reflect.ValueOf(Relay{})), ", "),
		}},
		"values": {strings.Replace(least, "relay.example.org", "https://relay.example.org/", 1) +
			"listen:\n  https: 443\n  turn_udp: [':3478', ':444', ':3478', 'relay:3478']\n  turn_tcp: ':3478'\n" +
			"relay:\n  max_session: 1 day\n  max_per_seat: many\n  addresses: [198.51.100.1, 198.51.100.2, here]\n", []string{
			`x.yaml:1: name: more than a name: write relay.example.org, without https://, port and path`,
			`x.yaml:4: listen.https: "443": not host:port: write ":3478" for every address of the host, or "192.0.2.10:3478"`,
			`x.yaml:5: listen.turn_udp[1]: ":444": browsers use TURN only on the ports 53, 80, 443 and from 1024 up: choose one of these`,
			`x.yaml:5: listen.turn_udp[2]: ":3478" is already in listen.turn_udp[0]: give each listener its own`,
			`x.yaml:5: listen.turn_udp[3]: "relay:3478": the host must be an IP address of this server, or empty for all`,
			`x.yaml:6: listen.turn_tcp: a list was expected: write ["first", "second"]`,
			`x.yaml:8: relay.max_session: not a duration: write it like 90s, 30m or 8h`,
			`x.yaml:9: relay.max_per_seat: not a whole number`,
			`x.yaml:10: relay.addresses[2]: not an IP address: write it like 192.0.2.10 or 2001:db8::10`,
			`x.yaml:10: relay.addresses[1]: a second address of its family: keep one for IPv4 and one for IPv6`,
		}},
		"sections": {least + "relay: yes\nsignal: [1]\n", []string{
			"x.yaml:3: relay: a section was expected here: write its keys below it, indented",
			"x.yaml:4: signal: a section was expected here: write its keys below it, indented",
		}},
		"out of bounds": {least + "relay: {credential_lifetime: 25h, max_session: 1m}\n", []string{
			"x.yaml:3: relay.credential_lifetime: 25h0m0s is out of bounds: use 10m0s to 24h0m0s",
			"x.yaml:3: relay.max_session: 1m0s is out of bounds: use 1h0m0s to 168h0m0s",
		}},
		"peers": {least + "relay:\n  peers: any\n  ports: 49152\n  allow: [10.0.0.1/8, ten]\n  secret_files: [a, '', a]\n" +
			"  public_address: 127.0.0.1\n  public_address_from: stun.example.org\n  allocation_rate: 100\n", []string{
			`x.yaml:4: relay.peers: "any" is neither paired (the seats of an appointment reach each other) nor open (and public peers)`,
			"x.yaml:5: relay.ports: not a range of ports: write it like 49152-65535",
			"x.yaml:6: relay.allow[1]: not a network: write it like 192.0.2.0/24 or 2001:db8::/32",
			"x.yaml:6: relay.allow[0]: 10.0.0.1/8 has bits beyond its length: did you mean 10.0.0.0/8?",
			"x.yaml:7: relay.secret_files[1]: missing: set it to the file of a TURN secret",
			"x.yaml:7: relay.secret_files[2]: a is already relay.secret_files[0]: name each once",
			"x.yaml:8: relay.public_address: 127.0.0.1 is not an address that clients could reach: use the one that the NAT translates to this server",
			`x.yaml:9: relay.public_address_from: "stun.example.org" is not host:port of a STUN server`,
			"x.yaml:10: relay.allocation_rate: 100 bytes per second cannot carry a call: use at least 100000, or 0 for no limit",
		}},
		"the admin API's address": {least + "signal: {admin_listen: 'relay:80443'}\n", []string{
			`x.yaml:3: signal.admin_listen: "relay:80443": the host must be an IP address of this server, or empty for all`,
		}},
		"the admin API's address taken": {least + "signal: {admin_listen: ':3478'}\n", []string{
			`x.yaml:3: signal.admin_listen: ":3478" is already in listen.turn_tcp[0]: give each listener its own`,
		}},
		"signal": {least + "signal: {admission: yes}\n", []string{
			`x.yaml:3: signal.admission: "yes" is neither doctor (patients wait until the doctor lets them in) nor none`,
		}},
		"ACME, and a password": {"name: relay.example.org\ntls: {acme: {directory: 'http://user:secret@acme.example.org/'}}\n",
			[]string{
				"x.yaml:2: tls.acme.directory: it has a user or a password, which ACME does not use: delete everything before the @",
			}},
		"ACME": {"name: 192.0.2.1\ntls:\n  key: k.pem\n  acme: {directory: acme.example.org, eab_key_id: x, cache: ''}\n",
			[]string{
				"x.yaml:1: name: 192.0.2.1 is an address: ACME needs a DNS name",
				`x.yaml:4: tls.acme.directory: "acme.example.org" is not the URL of an ACME directory: write it like https://acme-v02.api.letsencrypt.org/directory`,
				"x.yaml:4: tls.acme.directory: tls.certificate or tls.key is set too: keep the files or ACME",
				"x.yaml:4: tls.acme.eab_key_id: belongs to tls.acme.eab_key_file: set both, or none",
				"x.yaml:4: tls.acme.cache: missing: set it to a folder for the account's key and the certificates",
			}},
		"files that would be one credential": {least + "relay: {secret_files: [/etc/a/turn.secret, /etc/b/turn.secret, /etc/a//turn.secret]}\n" +
			"signal: {pepper_file: /etc/b/c.pem}\n", []string{
			"x.yaml:3: relay.secret_files[1]: /etc/b/turn.secret has the same name as relay.secret_files[0], and both would be the credential turn.secret of the unit: rename one",
			"x.yaml:4: signal.pepper_file: /etc/b/c.pem has the same name as tls.certificate, and both would be the credential c.pem of the unit: rename one",
		}},
		"operations": {least + "metrics: {listen: 9478}\nlog: {level: loud, addresses: all}\ndrain_timeout: 48h\n", []string{
			`x.yaml:3: metrics.listen: "9478": not host:port: write ":3478" for every address of the host, or "192.0.2.10:3478"`,
			"x.yaml:4: log.level: none of debug, info, warn, error",
			`x.yaml:4: log.addresses: "all" is none of pseudonym, prefix, full`,
			"x.yaml:5: drain_timeout: 48h0m0s is out of bounds: use 0s to 24h0m0s",
		}},
		"the admin socket": {least + "signal: {admin_socket: '/run/" + strings.Repeat("x", maxSocketPath-4) + "'}\n", []string{
			fmt.Sprintf(`x.yaml:3: signal.admin_socket: "/run/%s" has %d bytes, the path of a unix socket at most %d: name one in a folder like /run/praxisrelay`,
				strings.Repeat("x", maxSocketPath-4), maxSocketPath+1, maxSocketPath),
		}},
		"an abstract socket": {least + "signal: {admin_socket: '@praxisrelay'}\n", []string{
			`x.yaml:3: signal.admin_socket: "@praxisrelay" would be an abstract socket, which everybody on this host may open: name a file`,
		}},
		"brackets": {least + "log: {level: [" + strings.Repeat("\n[", 20_000), []string{
			"x.yaml:22: brackets or lists more than 20 deep: no value needs that",
		}},
		"lists": {least + strings.Repeat("- ", 20_000), []string{
			"x.yaml:3: brackets or lists more than 20 deep: no value needs that",
		}},
		"size": {least + strings.Repeat("#\n", 1<<19), []string{
			"x.yaml: more than 1048576 bytes: that is not a configuration",
		}},
		"ports": {least + "relay: {ports: 80-90x}\n",
			[]string{"x.yaml:3: relay.ports: not a range of ports: write it like 49152-65535"}},
		"range": {least + "relay: {ports: 9000-8000}\n",
			[]string{"x.yaml:3: relay.ports: 9000-8000 cannot be used: write first-last, from 1024 up"}},
	} {
		_, err := Parse("x.yaml", []byte(test.text))
		if err == nil {
			t.Errorf("%s: no mistake was found", name)
			continue
		}
		if got := strings.Split(err.Error(), "\n"); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s:\n%s\nwant\n%s", name, err, strings.Join(test.want, "\n"))
		}
	}
}

func TestSyntaxErrorsHaveALine(t *testing.T) {
	for _, text := range []string{least + "\tlisten: x\n", least + "listen: [\n", least + "a: b: c\n", least + "name: twice\n"} {
		_, err := Parse("x.yaml", []byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), "x.yaml:") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestEmptySectionsAreDefaults(t *testing.T) {
	if _, err := Parse("x.yaml", []byte(least+"relay:\n  # nothing\nsignal:\n")); err != nil {
		t.Error(err)
	}
}

func TestMissingFile(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "none.yaml")); err == nil ||
		!strings.Contains(err.Error(), "--config") {
		t.Errorf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(least)
	example, err := os.ReadFile("../docs/praxisrelay.example.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(example))
	f.Add("a: &a [*a]\n<<: *a\n")
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := Parse("x.yaml", []byte(text)); err == nil &&
			(c.Name == "" || len(c.Relay.SecretFiles) == 0) {
			t.Fatalf("%q makes %+v", text, c)
		}
	})
}

// TestRetiredKeysLoad checks that a file of an older version loads, with a warning for each key that
// has no effect any more.
func TestRetiredKeysLoad(t *testing.T) {
	text := least + "relay: {secret_files: [a], max_per_appointment: 2}\nsignal: {pepper_file: p, max_message: 5}\n"
	file := filepath.Join(t.TempDir(), "x.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, source, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, warning := range source.Mistakes(errors.Join(source.Retired()...)) {
		got = append(got, warning.Key+": "+warning.Text)
	}
	if want := []string{
		"relay.max_per_appointment: no effect any more, since relay.max_per_seat limits both seats: delete this line",
		"signal.max_message: no effect any more, since a message has at most 16,384 bytes: delete this line",
	}; !slices.Equal(got, want) {
		t.Errorf("warned of %q", got)
	}
}
