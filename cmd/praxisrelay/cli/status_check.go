package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"praxisrelay/cmd/praxisrelay/appliance"
	"praxisrelay/relay/certificate"
	"praxisrelay/signal/admin/api"
)

// Exit codes of monitoring plugins.
const (
	checkOK = iota
	checkWarning
	checkCritical
	checkUnknown
)

const oneDay = 24 * time.Hour

// A check warns, and becomes critical, at these percentages of a limit. For a certificate it does
// so at the first and the second of certificate.Warnings.
const limitWarning, limitCritical = 80, 95

// checked is the result of a check.
type checked struct {
	level   int
	found   []string // the problems
	summary []string
	data    []string // performance data
}

// String returns the single line that a plugin prints.
func (c checked) String() string {
	line := [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[c.level] + " - " +
		strings.Join(append(c.found, c.summary...), ", ")
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

// checkStatus judges a status, or the error that came instead. A daemon that does not answer, or
// answers with a fault, is critical. A request that this user may not make, or that the daemon does
// not support, is unknown.
func checkStatus(s api.Status, err error, now time.Time) (c checked) {
	var refused api.Problem
	switch {
	case errors.Is(err, fs.ErrPermission), errors.As(err, &refused) &&
		refused.Status < http.StatusInternalServerError:
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
	for _, warning := range s.Warnings {
		c.note(checkWarning, warning)
	}
	if s.Reload != nil && s.Reload.Error != "" {
		c.note(checkWarning, "the last reload failed: "+s.Reload.Error)
	}
	c.synthetic(s.Synthetic)
	c.summary = append(c.summary, appliance.Count(s.Calls, "call"), appliance.Count(s.Sessions, "session"))
	c.data = append(c.data, fmt.Sprintf("calls=%d", s.Calls), fmt.Sprintf("sessions=%d", s.Sessions))
	c.certificates(s.Certificates, now)
	for _, limit := range s.Limits {
		c.limit(limit)
	}
	return c
}

// synthetic notes the calls through the public name that failed. If all failed, the clients' calls
// fail too.
func (c *checked) synthetic(calls []api.SyntheticCall) {
	var failed []string
	for _, call := range calls {
		if call.Error != "" {
			failed = append(failed, fmt.Sprintf("%d/%s %s", call.Port, call.Transport, call.Family))
		}
	}
	level := checkWarning
	if len(failed) == len(calls) {
		level = checkCritical
	}
	if len(failed) > 0 {
		c.note(level, "calls through the public name fail: "+strings.Join(failed, " "))
	}
}

func (c *checked) certificates(list []api.CertificateStatus, now time.Time) {
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
	before := certificate.Warnings(first.Begins, first.Ends)
	warning, critical := before[0], before[1]
	switch {
	case left < 0:
		c.note(checkCritical, "the certificate has ended")
	case left <= critical:
		c.note(checkCritical, "the certificate ends in "+span(left))
	case left <= warning:
		c.note(checkWarning, "the certificate ends in "+span(left))
	default:
		c.summary = append(c.summary, "certificate "+span(left))
	}
	for _, problem := range first.Problems {
		if strings.Contains(strings.Join(c.found, " "), problem) {
			continue // why the daemon is not ready
		}
		c.note(checkWarning, "the certificate is not accepted by all: "+problem)
	}
	days := func(d time.Duration) float64 { return d.Hours() / 24 }
	c.data = append(c.data, fmt.Sprintf("certificate_days=%.1f;%.1f:;%.1f:", days(left), days(warning),
		days(critical)))
}

func (c *checked) limit(limit api.LimitUse) {
	name := limit.Name[strings.LastIndex(limit.Name, ".")+1:]
	warning, critical := limit.Most*limitWarning/100, limit.Most*limitCritical/100
	text := fmt.Sprintf("%d of %d of %s in use", limit.Used, limit.Most, limit.Name)
	switch {
	case limit.Used > critical:
		c.note(checkCritical, text)
	case limit.Used > warning:
		c.note(checkWarning, text)
	}
	c.data = append(c.data, fmt.Sprintf("%s=%d;%d;%d;0;%d", strings.TrimPrefix(name, "max_"),
		limit.Used, warning, critical, limit.Most))
}
