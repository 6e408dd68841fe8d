package appliance

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// ownHosts only serves requests for names that nobody else can have. Otherwise a page on the
// internet could point its own name at this host (DNS rebinding) and read the metrics through the
// browser of a visitor who can reach them. Host is the only sign of that: browsers send neither
// Origin nor Sec-Fetch-Site with such requests.
func ownHosts(next http.Handler, names ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !ownHost(r.Host, names) {
			http.Error(w, "the metrics are not served under this name: ask by IP address, by a "+
				"name without a dot, "+
				"or by the name of this host or of the configuration", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ownHost reports whether a request's Host is an address, one of the given names with or without a
// domain, or a name that no public domain can have.
func ownHost(host string, names []string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if _, err := netip.ParseAddr(host); err == nil || !strings.Contains(host, ".") {
		return true
	}
	for _, private := range []string{".localhost", ".local", ".internal", ".home.arpa"} {
		if strings.HasSuffix(host, private) {
			return true
		}
	}
	return slices.ContainsFunc(names, func(name string) bool {
		name = strings.ToLower(name)
		return name != "" && (host == name || strings.HasPrefix(host, name+"."))
	})
}
