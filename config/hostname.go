package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/idna"
)

// names maps names as browsers map what is typed into their address bar, restricted to the letters
// of host names, and with hyphens anywhere that people put them.
var names = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(true),
	idna.BidiRule(), idna.CheckJoiners(true), idna.CheckHyphens(false))

// HostName returns a host's name in the form of DNS, certificates and URLs: praxis-müller.test
// becomes xn--praxis-mller-klb.test, in lower case and without a final dot. An address is returned
// unchanged.
func HostName(text string) (string, error) {
	name, err := asciiName(text)
	if err == nil {
		return name, nil
	}
	if name := nameWithin(text); name != "" {
		return "", fmt.Errorf("more than a name: write %s, without https://, port and path", name)
	}
	return "", fmt.Errorf("%q is neither a DNS name nor an address (%w): write it like relay.example.org", text, err)
}

func asciiName(text string) (string, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		return text, nil
	}
	name, err := names.ToASCII(text)
	if err != nil {
		return "", err
	}
	if name = strings.TrimSuffix(name, "."); !isHostname(name) {
		return "", errors.New("letters, digits and hyphens between dots are expected")
	}
	return name, nil
}

// nameWithin returns the name in a URL, which may lack https://.
func nameWithin(text string) string {
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	if u, err := url.Parse(text); err == nil {
		if _, err := asciiName(u.Hostname()); err == nil {
			return u.Hostname()
		}
	}
	return ""
}

// isHostname reports whether an ASCII name is a valid host name.
func isHostname(name string) bool {
	label := 0
	for i, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
			label++
		case c == '-' && label > 0:
			label++
		case c == '.' && label > 0 && name[i-1] != '-':
			label = 0
		default:
			return false
		}
		if label > 63 {
			return false
		}
	}
	return label > 0 && len(name) <= 253 && name[len(name)-1] != '-'
}

// NameForPeople returns a host's name as people write it, followed by its DNS form if that differs.
func NameForPeople(name string) string {
	if shown, err := idna.Display.ToUnicode(name); err == nil && shown != name {
		return shown + " (" + name + ")"
	}
	return name
}

// HostPort is HostName for host:port.
func HostPort(text string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil || host == "" || port == "" {
		return "", fmt.Errorf("%q is not host:port", text)
	}
	if host, err = asciiName(host); err != nil {
		return "", fmt.Errorf("%q is not host:port (%w)", text, err)
	}
	return net.JoinHostPort(host, port), nil
}
