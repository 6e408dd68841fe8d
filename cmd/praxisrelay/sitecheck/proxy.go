package sitecheck

import (
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
)

// systemProxy is the system's proxy setting for HTTPS. Linux has none: there the environment names
// the proxy.
type systemProxy struct {
	server string   // host:port; empty for no proxy
	except []string // hosts reached without the proxy; * matches any part
	simple bool     // hosts without a dot are reached without it too
	script bool     // a script (PAC) chooses the proxy; it is not read
}

// choose returns the proxy for a request, in the form of http.Transport.Proxy.
func (p systemProxy) choose(r *http.Request) (*url.URL, error) {
	host := strings.ToLower(r.URL.Hostname())
	if p.simple && !strings.ContainsAny(host, ".:") ||
		slices.ContainsFunc(p.except, func(pattern string) bool {
			matches, err := path.Match(strings.ToLower(pattern), host)
			return err == nil && matches
		}) {
		return nil, nil
	}
	return &url.URL{Scheme: "http", Host: p.server}, nil
}

// windowsProxy reads the values of the Internet Settings. A server is host:port for all protocols,
// or a list like http=host:port;https=host:port.
func windowsProxy(enabled bool, server, override, script string) systemProxy {
	p := systemProxy{script: script != ""}
	if !enabled {
		return p
	}
	for _, one := range fields(server, ";") {
		protocol, address, named := strings.Cut(one, "=")
		if !named {
			protocol, address = "https", one
		}
		if protocol == "https" {
			if _, after, ok := strings.Cut(address, "://"); ok {
				address = after
			}
			p.server = withPort(strings.TrimSuffix(address, "/"))
		}
	}
	for _, one := range fields(override, ";") {
		if one == "<local>" {
			p.simple = true
		} else {
			p.except = append(p.except, one)
		}
	}
	return p
}

// macProxy reads the output of scutil --proxy: a line per key, with lists and the settings of
// single interfaces in braces.
func macProxy(text string) (p systemProxy) {
	values := map[string]string{}
	var within []string // the keys of the open braces
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " : ")
		switch {
		case strings.HasSuffix(key+value, "{"):
			within = append(within, key)
		case key == "}":
			within = within[:max(len(within)-1, 0)]
		case len(within) == 1:
			values[key] = value
		case len(within) == 2 && within[1] == "ExceptionsList":
			p.except = append(p.except, value)
		}
	}
	if values["HTTPSEnable"] == "1" && values["HTTPSProxy"] != "" {
		p.server = values["HTTPSProxy"]
		if port := values["HTTPSPort"]; port != "" && port != "0" {
			p.server = net.JoinHostPort(p.server, port)
		}
		p.server = withPort(p.server)
	}
	p.simple = values["ExcludeSimpleHostnames"] == "1"
	p.script = values["ProxyAutoConfigEnable"] == "1" || values["ProxyAutoDiscoveryEnable"] == "1"
	return p
}

// withPort adds HTTP's port if there is no port.
func withPort(address string) string {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return net.JoinHostPort(strings.Trim(address, "[]"), "80")
	}
	return address
}

// fields returns the non-empty parts of a list.
func fields(list, separator string) (parts []string) {
	for part := range strings.SplitSeq(list, separator) {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}
