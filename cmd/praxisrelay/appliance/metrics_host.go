package appliance

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// ownHosts serves requests for names that nobody else can have. A page of the internet may
// have its own name lead to this host (DNS rebinding), and the browser of a visitor who
// reaches the metrics would read them to it. Host is the only mark of that: browsers send
// neither Origin nor Sec-Fetch-Site with such requests.
func ownHosts(next http.Handler, names ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !ownHost(r.Host, names) {
			http.Error(w, "the metrics are not served under this name: ask by IP address, by a name without a dot, "+
				"or by the name of this host or of the configuration", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ownHost reports whether a request's Host is an address, one of these names, alone or with
// a domain behind, or one that no public domain has.
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
