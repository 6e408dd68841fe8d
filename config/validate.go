package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// validate records every invalid value.
func (c *Config) validate(d *decoder) {
	if c.Name == "" {
		d.wrong("name", "missing: set it to the DNS name that clients use, like relay.example.org")
	} else if name, err := HostName(c.Name); err != nil {
		d.wrong("name", "%v", err)
	} else {
		c.Name = name // for DNS, certificates and links
	}

	used := map[string]string{}
	listen := func(key, network, address string, check func(string) string) {
		if problem := check(address); problem != "" {
			d.wrong(key, "%q: %s", address, problem)
		} else if other, taken := used[network+address]; taken && !strings.HasSuffix(address, ":0") {
			d.wrong(key, "%q is already in %s: give each listener its own", address, other)
		}
		used[network+address] = key
	}
	listen("listen.https", "tcp", c.Listen.HTTPS, checkTURNAddress)
	lists := []struct {
		key, network string
		addresses    []string
	}{
		{"listen.turn_udp", "udp", c.Listen.TURNUDP},
		{"listen.turn_tcp", "tcp", c.Listen.TURNTCP},
		{"listen.turn_tls", "tcp", c.Listen.TURNTLS},
	}
	for _, list := range lists {
		for i, address := range list.addresses {
			listen(fmt.Sprintf("%s[%d]", list.key, i), list.network, address, checkTURNAddress)
		}
	}
	for key, address := range map[string]string{
		"listen.http":         c.Listen.HTTP,
		"signal.admin_listen": c.Signal.AdminListen,
		"metrics.listen":      c.Metrics.Listen,
	} {
		if address != "" {
			listen(key, "tcp", address, checkAddress)
		}
	}
	c.validateTLS(d)
	c.validateFiles(d)

	needed := []struct{ key, value, what string }{
		{"signal.registry", c.Signal.Registry, "the file that appointments are kept in"},
		{"signal.pepper_file", c.Signal.PepperFile, "the file of the pepper"},
		{"signal.admin_socket", c.Signal.AdminSocket, "the unix socket of the commands"},
	}
	for _, n := range needed {
		if n.value == "" {
			d.wrong(n.key, "missing: set it to %s", n.what)
		}
	}

	c.validateAdminSocket(d)

	if len(c.Relay.SecretFiles) == 0 {
		d.wrong("relay.secret_files", "missing: name at least one file")
	}
	files := map[string]int{}
	for i, file := range c.Relay.SecretFiles {
		key := fmt.Sprintf("relay.secret_files[%d]", i)
		if first, twice := files[file]; twice {
			d.wrong(key, "%s is already relay.secret_files[%d]: name each once", file, first)
		} else if file == "" {
			d.wrong(key, "missing: set it to the file of a TURN secret")
		}
		files[file] = i
	}

	c.validatePeers(d)

	var four, six int
	for i, addr := range c.Relay.Addresses {
		key := fmt.Sprintf("relay.addresses[%d]", i)
		switch {
		case !addr.IsValid():
			continue // already reported
		case addr.IsUnspecified() || addr.IsMulticast() || addr.Zone() != "" || addr.Is4In6():
			d.wrong(key, "%s is not the address of a host: use the server's own", addr)
		case addr.Is4():
			four++
		default:
			six++
		}
		if four > 1 || six > 1 {
			d.wrong(key, "a second address of its family: keep one for IPv4 and one for IPv6")
		}
	}
	between(d, "relay.credential_lifetime", c.Relay.CredentialLifetime, 10*time.Minute, 24*time.Hour)
	between(d, "relay.max_session", c.Relay.MaxSession, time.Hour, 7*24*time.Hour)
	between(d, "relay.max_per_seat", c.Relay.MaxPerSeat, 4, 1000)
	between(d, "relay.max_per_prefix", c.Relay.MaxPerPrefix, 4, 1_000_000)
	between(d, "relay.max_allocations", c.Relay.MaxAllocations, 4, 1_000_000)
	rate(d, "relay.allocation_rate", c.Relay.AllocationRate, 100_000)
	rate(d, "relay.total_rate", c.Relay.TotalRate, 1_000_000)
	between(d, "relay.unauthenticated_rate", c.Relay.UnauthenticatedRate, 1, 1_000_000)
	if a := c.Signal.Admission; a != ByDoctor && a != None {
		d.wrong("signal.admission", "%q is neither %s (patients wait until the doctor lets them in) nor %s",
			a, ByDoctor, None)
	}
	between(d, "listen.max_connections", c.Listen.MaxConnections, 10, 1_000_000)
	between(d, "listen.max_connections_per_prefix", c.Listen.MaxConnectionsPerPrefix, 10, 1_000_000)
	between(d, "listen.max_handshakes", c.Listen.MaxHandshakes, 8, 100_000)
	if c.Metrics.SyntheticCalls != 0 {
		between(d, "metrics.synthetic_calls", c.Metrics.SyntheticCalls, 10*time.Second, 2*time.Minute)
	}
	if a := c.Log.Addresses; a != Pseudonym && a != Prefix && a != Full {
		d.wrong("log.addresses", "%q is none of %s, %s, %s", a, Pseudonym, Prefix, Full)
	}
	between(d, "drain_timeout", c.DrainTimeout, 0, 24*time.Hour)
}

// maxSocketPath is how many bytes the kernel allows for the path of a unix socket, without the
// final NUL.
const maxSocketPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// validateAdminSocket rejects paths that the kernel or Go would misinterpret.
func (c *Config) validateAdminSocket(d *decoder) {
	switch path := c.Signal.AdminSocket; {
	case len(path) > maxSocketPath:
		d.wrong("signal.admin_socket",
			"%q has %d bytes, the path of a unix socket at most %d: name one in a folder like /run/praxisrelay",
			path, len(path), maxSocketPath)
	case strings.HasPrefix(path, "@"):
		d.wrong("signal.admin_socket",
			"%q would be an abstract socket, which everybody on this host may open: name a file", path)
	}
}

// validateTLS checks the source of the certificate: files, or an authority.
func (c *Config) validateTLS(d *decoder) {
	acme := c.TLS.ACME
	if acme.Directory == "" {
		if c.TLS.Certificate == "" {
			d.wrong("tls.certificate",
				"missing: set it to the file of the certificate chain (PEM), or set tls.acme.directory")
		}
		if c.TLS.Key == "" {
			d.wrong("tls.key", "missing: set it to the file of the certificate's private key (PEM)")
		}
		return
	}
	switch directory, err := url.Parse(acme.Directory); {
	case userinfo.MatchString(acme.Directory): // not repeated
		d.wrong("tls.acme.directory",
			"it has a user or a password, which ACME does not use: delete everything before the @")
	case err != nil || directory.Scheme != "https" || directory.Host == "":
		d.wrong("tls.acme.directory",
			"%q is not the URL of an ACME directory: "+
				"write it like https://acme-v02.api.letsencrypt.org/directory", acme.Directory)
	}
	if c.TLS.Certificate != "" || c.TLS.Key != "" {
		d.wrong("tls.acme.directory", "tls.certificate or tls.key is set too: keep the files or ACME")
	}
	if net.ParseIP(c.Name) != nil {
		d.wrong("name", "%s is an address: ACME needs a DNS name", c.Name)
	}
	if (acme.EABKeyID == "") != (acme.EABKeyFile == "") {
		d.wrong("tls.acme.eab_key_id", "belongs to tls.acme.eab_key_file: set both, or none")
	}
	if acme.Cache == "" {
		d.wrong("tls.acme.cache", "missing: set it to a folder for the account's key and the certificates")
	}
}

// validateFiles rejects different files with the same base name. The unit hands them over as
// credentials under that name (LoadCredential), so one would be read for both.
func (c *Config) validateFiles(d *decoder) {
	type named struct{ key, file string }
	files := []named{
		{"tls.certificate", c.TLS.Certificate}, {"tls.key", c.TLS.Key},
		{"tls.acme.ca_file", c.TLS.ACME.CAFile}, {"tls.acme.eab_key_file", c.TLS.ACME.EABKeyFile},
		{"signal.pepper_file", c.Signal.PepperFile},
	}
	for i, file := range c.Relay.SecretFiles {
		files = append(files, named{fmt.Sprintf("relay.secret_files[%d]", i), file})
	}
	first := map[string]named{}
	for _, this := range files {
		if this.file == "" {
			continue
		}
		base := filepath.Base(this.file)
		other, taken := first[base]
		if !taken {
			first[base] = this
		} else if filepath.Clean(other.file) != filepath.Clean(this.file) {
			d.wrong(this.key,
				"%s has the same name as %s, and both would be the credential %s of the unit: rename one",
				this.file, other.key, base)
		}
	}
}

// validatePeers checks what only the open relay, or a relay behind a NAT, needs.
func (c *Config) validatePeers(d *decoder) {
	r := c.Relay
	if r.Peers != Paired && r.Peers != Open {
		d.wrong("relay.peers",
			"%q is neither %s (the seats of an appointment reach each other) nor %s (and public peers)",
			r.Peers, Paired, Open)
	}
	if r.Ports.First < 1024 || r.Ports.First > r.Ports.Last {
		d.wrong("relay.ports", "%d-%d cannot be used: write first-last, from 1024 up", r.Ports.First,
			r.Ports.Last)
	}
	lists := map[string][]netip.Prefix{"relay.allow": r.Allow, "relay.deny": r.Deny,
		"listen.proxy_protocol_from": c.Listen.ProxyProtocolFrom}
	for key, list := range lists {
		for i, prefix := range list {
			key := fmt.Sprintf("%s[%d]", key, i)
			switch {
			case !prefix.IsValid():
				d.wrong(key, "missing: write a network like 192.0.2.0/24")
			case prefix != prefix.Masked():
				d.wrong(key, "%v has bits beyond its length: did you mean %v?", prefix, prefix.Masked())
			}
		}
	}
	switch public := r.PublicAddress; {
	case !public.IsValid():
	case !Public(public):
		d.wrong("relay.public_address",
			"%s is not an address that clients could reach: use the one that the NAT translates to this server",
			public)
	case r.PublicAddressFrom != "":
		d.wrong("relay.public_address_from", "relay.public_address is set too: keep one of them")
	}
	if r.PublicAddressFrom != "" {
		if server, err := HostPort(r.PublicAddressFrom); err != nil {
			d.wrong("relay.public_address_from", "%v of a STUN server", err)
		} else {
			c.Relay.PublicAddressFrom = server
		}
	}
}

// Public reports whether clients elsewhere could reach addr, as relay.public_address requires.
func Public(addr netip.Addr) bool {
	return addr.IsValid() && !addr.IsUnspecified() && !addr.IsMulticast() && !addr.IsLoopback() &&
		addr.Zone() == "" && !addr.Is4In6()
}

func rate(d *decoder, key string, value, minimum int) {
	if value != 0 && value < minimum {
		d.wrong(key, "%v bytes per second cannot carry a call: use at least %v, or 0 for no limit",
			value, minimum)
	}
}

func between[T int | time.Duration](d *decoder, key string, value, minimum, maximum T) {
	if value < minimum || value > maximum {
		d.wrong(key, "%v is out of bounds: use %v to %v", value, minimum, maximum)
	}
}

// checkAddress returns what is wrong with a listen address, or "".
func checkAddress(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "not host:port: write \":3478\" for every address of the host, or \"192.0.2.10:3478\""
	}
	if host != "" {
		if _, err := netip.ParseAddr(host); err != nil {
			return "the host must be an IP address of this server, or empty for all"
		}
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "the port must be a number from 0 to 65535"
	}
	return ""
}

// checkTURNAddress is checkAddress for addresses at which browsers use TURN.
func checkTURNAddress(address string) string {
	if problem := checkAddress(address); problem != "" {
		return problem
	}
	_, port, _ := net.SplitHostPort(address)
	n, _ := strconv.Atoi(port)
	if n != 0 && n != 53 && n != 80 && n != 443 && n < 1024 {
		return "browsers use TURN only on the ports 53, 80, 443 and from 1024 up: choose one of these"
	}
	return ""
}
