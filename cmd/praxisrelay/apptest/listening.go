package apptest

import (
	"strings"
)

// Listening is where a daemon listens.
type Listening struct{ HTTPS, UDP, TCP, TLS []string }

// Read reads the addresses from the log line that reports them, and reports whether this is that
// line.
func (l *Listening) Read(line string) bool {
	list := func(key string) []string {
		_, value, _ := strings.Cut(line, key+"=")
		if quoted, ok := strings.CutPrefix(value, `"`); ok {
			value, _, _ = strings.Cut(quoted, `"`)
		} else {
			value, _, _ = strings.Cut(value, " ")
		}
		return strings.Fields(value[1 : len(value)-1])
	}
	_, rest, ok := strings.Cut(line, "msg=serving url=https://")
	if !ok {
		return false
	}
	address, _, _ := strings.Cut(rest, "/")
	l.HTTPS, l.UDP, l.TCP, l.TLS = []string{address}, list("turn_udp"), list("turn_tcp"), list("turn_tls")
	return true
}

// IsServing reports whether a line of the log says that the daemon serves.
func IsServing(line string) bool { return strings.Contains(line, "msg=serving") }
