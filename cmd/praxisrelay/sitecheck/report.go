package sitecheck

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"praxisrelay/cmd/praxisrelay/terminal"
	"praxisrelay/config/firewall"
	"praxisrelay/config/lang"
	"praxisrelay/relay/certificate"
	"praxisrelay/relay/check"
)

// Report is the output of check; with --json it is printed as is.
type Report struct {
	Server  string        `json:"server"`
	At      time.Time     `json:"at"`
	Verdict check.Verdict `json:"verdict"`
	// Sentence is the verdict for people, in the requested language.
	Sentence string `json:"sentence"`
	// Best is the way that picture and sound take, if there is one.
	Best *check.Way `json:"best,omitempty"`
	// Open are the firewall's rows to open, Exempt those to exempt from TLS inspection.
	Open    []Row          `json:"open"`
	Exempt  []Row          `json:"exempt"`
	Results []check.Result `json:"results"`

	language lang.Language
	ways     []check.Way
}

// Row is a row of the firewall table's part for clients.
type Row struct {
	ID       string        `json:"id"`
	Need     firewall.Need `json:"need"`
	Host     string        `json:"host"`
	Protocol string        `json:"protocol"`
	Port     uint16        `json:"port"`
	Purpose  string        `json:"purpose"`
}

func (k *checker) report(l lang.Language, now time.Time) Report {
	r := Report{
		Server: k.dialer.Server, At: now.UTC().Truncate(time.Second), Open: []Row{}, Exempt: []Row{},
		language: l, ways: k.target.Ports.Ways(),
	}
	plan, err := k.plan(now)
	if err != nil {
		plan = firewall.Plan{} // ports chosen by the system have no rows
	}
	rows := plan.Table(firewall.ClientEgress)
	rowOf := func(w check.Way) (row firewall.Row) {
		protocol := "tcp"
		if w.Transport == check.UDP {
			protocol = "udp"
		}
		i := slices.IndexFunc(rows, func(row firewall.Row) bool {
			return row.Protocol == protocol && row.Ports.First == w.Port
		})
		if i >= 0 {
			row = rows[i]
		}
		return row
	}
	k.results.Rows(func(w check.Way) string { return rowOf(w).ID })
	list := func(into []Row, ways []check.Way) []Row {
		for _, w := range ways {
			row := rowOf(w)
			if row.ID != "" && !slices.ContainsFunc(into, func(other Row) bool {
				return other.ID == row.ID
			}) {
				into = append(into, Row{row.ID, row.Need, k.target.Host, row.Protocol, row.Ports.First,
					row.Purpose(l)})
			}
		}
		return into
	}
	c := k.target.Conclude(&k.results)
	r.Verdict, r.Best, r.Results = c.Verdict, c.Best, k.results.List()
	r.Exempt = list(r.Exempt, c.Intercepted)
	// Intercepted rows are open; they only need exempting from inspection.
	r.Open = slices.DeleteFunc(list(r.Open, c.Closed), func(row Row) bool {
		return slices.Contains(r.Exempt, row)
	})
	r.Sentence = r.sentence(c)
	return r
}

// sentence puts the verdict into words.
func (r Report) sentence(c check.Conclusion) string {
	say := func(t checkText, args ...any) string { return t.In(r.language, args...) }
	var s string
	switch c.Verdict {
	case check.Works:
		s = say(checkTexts.works)
		if len(r.Open) > 0 {
			s += " " + say(checkTexts.spare, ids(r.Open))
		}
		return s
	case check.Unknown:
		return say(checkTexts.unknown, r.cause(c.Cause))
	case check.Fails:
		s = say(checkTexts.fails, r.cause(c.Cause))
	default:
		s = say(checkTexts.restricted, c.Best)
	}
	if len(r.Exempt) > 0 {
		s += " " + say(checkTexts.intercepted, r.interceptor(), ids(r.Exempt))
	}
	if c.Cause != nil && c.Cause.Reason == check.Untrusted {
		s += " " + say(checkTexts.untrusted, c.Cause.Row)
	}
	if c.Mute {
		s += " " + say(checkTexts.mute)
	}
	// The failure's own words already contain the cause.
	if len(r.Open) > 0 {
		s += " " + say(checkTexts.open, ids(r.Open))
	}
	if c.Verdict == check.Fails {
		return s
	}
	for _, result := range r.Results {
		switch {
		case result.Status != check.Failed:
		case result.ID == "websocket":
			s += " " + say(checkTexts.noSocket, result.Row)
		case result.ID == "polling":
			s += " " + say(checkTexts.noPolling, result.Row)
		case result.ID == "quality":
			s += " " + say(checkTexts.poor)
		}
	}
	return s
}

func (r Report) cause(result *check.Result) string {
	if result == nil {
		return checkTexts.interrupted.In(r.language)
	}
	cause := r.name(result.ID, result.Way) + ": " + checkTexts.reasons[result.Reason].In(r.language)
	if detail := r.circumstance(*result); detail != "" {
		cause += " (" + terminal.Printable(detail) + ")"
	}
	return cause
}

// circumstance is what helps to fix a cause, such as the certificate or proxy in question.
func (r Report) circumstance(result check.Result) string {
	value := func(name string) string { text, _ := result.Values[name].(string); return text }
	switch result.Reason {
	case check.ProxyRefused, check.ProxyAuth, check.ProxyDown:
		return value("proxy")
	case check.Untrusted, check.WrongName:
		return value("issuer")
	case check.Expired:
		return checkTexts.validity.In(r.language, value("not_before"), value("not_after"),
			r.At.Format(time.RFC3339))
	case check.Unusable:
		for _, f := range findings(result) {
			if f.By == certificate.All {
				return Finding(f, r.language)
			}
		}
	case check.RelayRefused:
		return result.Detail
	}
	return ""
}

// findings are browsers' objections to the certificate that a probe got.
func findings(result check.Result) []certificate.Finding {
	list, _ := result.Values["findings"].([]certificate.Finding)
	return list
}

// certificateLines are browsers' objections to the appliance's own certificates, as far as those
// are known. The same objection on several ways is one line.
func (r Report) certificateLines() (lines []string) {
	for _, result := range r.Results {
		if r.intercepted(result.Way) {
			continue
		}
		for _, f := range findings(result) {
			if line := Finding(f, r.language); !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// intercepted reports whether the certificate on a way is not the appliance's.
func (r Report) intercepted(w *check.Way) bool {
	return slices.ContainsFunc(r.Results, func(result check.Result) bool {
		return w != nil && result.Way != nil && *result.Way == *w && result.Reason == check.Intercepted
	})
}

// interceptor is the issuer of a certificate that is not the appliance's.
func (r Report) interceptor() string {
	for _, result := range r.Results {
		if issuer, ok := result.Values["issuer"].(string); ok && result.Reason == check.Intercepted {
			return terminal.Printable(issuer)
		}
	}
	return "?"
}

func ids(rows []Row) string {
	var list []string
	for _, row := range rows {
		list = append(list, row.ID)
	}
	return strings.Join(list, ", ")
}

// name is a probe's name in the report.
func (r Report) name(id string, w *check.Way) string {
	kind, _, _ := strings.Cut(id, "-")
	name := checkTexts.probes[kind].In(r.language)
	if w != nil && strings.Contains(id, "-") {
		return fmt.Sprintf("%s %s", w, name)
	}
	return name
}

// print prints the verdict, the matrix of ways and layers, the other probes, and the rows to open.
func (r Report) print(out io.Writer) error {
	l := r.language
	var rest []check.Result
	cells := map[check.Way]map[string]string{}
	for _, result := range r.Results {
		kind, _, layered := strings.Cut(result.ID, "-")
		if !layered {
			rest = append(rest, result)
			continue
		}
		if cells[*result.Way] == nil {
			cells[*result.Way] = map[string]string{}
		}
		cells[*result.Way][kind] = r.cell(result)
	}
	fmt.Fprintf(out, "%s\n\n", r.Sentence)
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	layers := []string{"connect", "tls", "own", "relay"}
	fmt.Fprint(w, checkTexts.way.In(l))
	for _, layer := range layers {
		fmt.Fprintf(w, "\t%s", strings.ToUpper(checkTexts.probes[layer].In(l)))
	}
	fmt.Fprintln(w)
	for _, way := range r.ways {
		fmt.Fprint(w, way)
		for _, layer := range layers {
			cell := cells[way][layer]
			if cell == "" {
				cell = "-"
			}
			fmt.Fprintf(w, "\t%s", cell)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
	for _, result := range rest {
		fmt.Fprintf(w, "%s\t%s\n", r.name(result.ID, nil), r.cell(result)+r.details(result))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if lines := r.certificateLines(); len(lines) > 0 {
		fmt.Fprintf(out, "\n%s\n", checkTexts.certificateTitle.In(l))
		for _, line := range lines {
			fmt.Fprintf(out, "  %s\n", terminal.Printable(line))
		}
	}
	for _, part := range []struct {
		title checkText
		rows  []Row
	}{{checkTexts.openTitle, r.Open}, {checkTexts.exemptTitle, r.Exempt}} {
		if len(part.rows) == 0 {
			continue
		}
		fmt.Fprintf(out, "\n%s\n", part.title.In(l))
		for _, row := range part.rows {
			fmt.Fprintf(w, "  %s\t%s\t%d/%s\t%s\n", row.ID, row.Host, row.Port,
				strings.ToUpper(row.Protocol), row.Purpose)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// cell puts a result into a few words.
func (r Report) cell(result check.Result) string {
	switch result.Status {
	case check.OK:
		for _, name := range []string{"rtt_ms", "connect_ms", "connected_ms"} {
			if ms, ok := result.Values[name].(float64); ok && result.ID != "quality" {
				return fmt.Sprintf("ok %.1f ms", ms)
			}
		}
		return "ok"
	case check.Skipped:
		if result.Reason == check.Dependent {
			return "-"
		}
		return checkTexts.reasons[result.Reason].In(r.language)
	}
	return strings.ToUpper(checkTexts.failed.In(r.language)) + ": " +
		checkTexts.reasons[result.Reason].In(r.language)
}

// details are the measurements of a probe outside the matrix, or the reason for its failure.
func (r Report) details(result check.Result) string {
	if result.Status == check.Failed {
		return " (" + terminal.Printable(result.Detail) + ")"
	}
	var list []string
	for _, value := range checkTexts.values {
		found, ok := result.Values[value.name]
		if kind, named := checkTexts.mappings[fmt.Sprint(found)]; named && value.name == "mapping" {
			found = kind.In(r.language)
		}
		if addresses, several := found.([]string); several {
			found = strings.Join(addresses, ", ")
		}
		if ok {
			list = append(list, value.In(r.language, found))
		}
	}
	if len(list) == 0 {
		return ""
	}
	return "   " + terminal.Printable(strings.Join(list, ", "))
}
