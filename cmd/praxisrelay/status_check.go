package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"praxisrelay/signal/protocol"
)

// Exit codes of plugins for monitoring.
const (
	checkOK = iota
	checkWarning
	checkCritical
	checkUnknown
)

const oneDay = 24 * time.Hour

// When a check warns and when it is critical: so long before a certificate's end, or
// with so much of a limit in use, in percent. A certificate that lives for less than
// certificateLife is renewed later, and warned of later in proportion.
const (
	certificateWarning, certificateCritical, certificateLife = 21 * oneDay, 7 * oneDay, 90 * oneDay
	limitWarning, limitCritical                              = 80, 95
)

// checked is what a check has found.
type checked struct {
	level   int
	found   []string // that is not well
	summary []string
	data    []string // performance data
}

// String is the one line that a plugin prints.
func (c checked) String() string {
	line := [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[c.level] + " - " + strings.Join(append(c.found, c.summary...), ", ")
	line = strings.NewReplacer("\n", "; ", "|", "/").Replace(line)
	if len(c.data) > 0 {
		line += " | " + strings.Join(c.data, " ")
	}
	return line
}

func (c *checked) note(level int, what string) {
	c.level = max(c.level, level)
	c.found = append(c.found, what)
}

// checkStatus judges a status, or the error that came in its place. A daemon that does
// not answer, or only with a fault, is critical; what this user may not ask, or the
// daemon does not know, is unknown.
func checkStatus(s protocol.Status, err error, now time.Time) (c checked) {
	var refused protocol.Problem
	switch {
	case errors.Is(err, fs.ErrPermission), errors.As(err, &refused) && refused.Status < http.StatusInternalServerError:
		c.note(checkUnknown, err.Error())
		return c
	case err != nil:
		c.note(checkCritical, err.Error())
		return c
	}
	switch {
	case s.Draining:
		c.note(checkWarning, "draining: no new calls are taken")
	case len(s.NotReady) > 0:
		c.note(checkCritical, "not ready: "+strings.Join(s.NotReady, "; "))
	}
	if s.Reload != nil && s.Reload.Error != "" {
		c.note(checkWarning, "the last reload failed: "+s.Reload.Error)
	}
	c.summary = append(c.summary, countOf(s.Calls, "call"), countOf(s.Sessions, "session"))
	c.data = append(c.data, fmt.Sprintf("calls=%d", s.Calls), fmt.Sprintf("sessions=%d", s.Sessions))
	c.certificates(s.Certificates, now)
	for _, limit := range s.Limits {
		c.limit(limit)
	}
	return c
}

func countOf(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

func (c *checked) certificates(list []protocol.CertificateStatus, now time.Time) {
	if len(list) == 0 {
		c.note(checkCritical, "there is no certificate")
		return
	}
	first := list[0]
	for _, one := range list {
		if one.Ends.Before(first.Ends) {
			first = one
		}
	}
	left := first.Ends.Sub(now)
	part := min(1, float64(first.Ends.Sub(first.Begins))/float64(certificateLife))
	warning, critical := part*certificateWarning.Hours()/24, part*certificateCritical.Hours()/24
	switch days := left.Hours() / 24; {
	case days < 0:
		c.note(checkCritical, "the certificate has ended")
	case days < critical:
		c.note(checkCritical, "the certificate ends in "+span(left))
	case days < warning:
		c.note(checkWarning, "the certificate ends in "+span(left))
	default:
		c.summary = append(c.summary, "certificate "+span(left))
	}
	c.data = append(c.data, fmt.Sprintf("certificate_days=%.1f;%.1f:;%.1f:", left.Hours()/24, warning, critical))
}

func (c *checked) limit(limit protocol.LimitUse) {
	name := limit.Name[strings.LastIndex(limit.Name, ".")+1:]
	warning, critical := limit.Most*limitWarning/100, limit.Most*limitCritical/100
	text := fmt.Sprintf("%d of %d of %s in use", limit.Used, limit.Most, limit.Name)
	switch {
	case limit.Used > critical:
		c.note(checkCritical, text)
	case limit.Used > warning:
		c.note(checkWarning, text)
	}
	c.data = append(c.data, fmt.Sprintf("%s=%d;%d;%d;0;%d", strings.TrimPrefix(name, "max_"), limit.Used, warning, critical, limit.Most))
}
