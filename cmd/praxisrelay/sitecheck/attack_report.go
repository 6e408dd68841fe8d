package sitecheck

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"praxisrelay/cmd/praxisrelay/terminal"
	"praxisrelay/config/lang"
	"praxisrelay/relay/check"
	"praxisrelay/relay/hostile"
)

// AttackVerdict is the result of an attack.
type AttackVerdict string

const (
	Tight     AttackVerdict = "tight" // everything was refused
	Leaks     AttackVerdict = "leaks" // something was accepted
	Undecided AttackVerdict = "unknown"
)

// AttackReport is the output of check --hostile; with --json it is printed as is.
type AttackReport struct {
	Server   string          `json:"server"`
	At       time.Time       `json:"at"`
	Verdict  AttackVerdict   `json:"verdict"`
	Sentence string          `json:"sentence"`
	Relay    string          `json:"relay"` // paired or open
	Ways     []check.Way     `json:"ways"`
	Groups   []hostile.Count `json:"groups"`
	Accepted []hostile.Try   `json:"accepted"`
	Untried  []hostile.Try   `json:"untried"`

	language lang.Language
}

func newAttackReport(server string, t *hostile.Target, found hostile.Report, l lang.Language,
	now time.Time) AttackReport {
	r := AttackReport{
		Server: server, At: now.UTC().Truncate(time.Second), Relay: "open", Ways: t.Ways,
		Groups:   found.Counts,
		Accepted: append([]hostile.Try{}, found.Accepted...),
		Untried:  append([]hostile.Try{}, found.Untried...), language: l,
	}
	if t.Paired {
		r.Relay = "paired"
	}
	tried := 0
	for _, count := range r.Groups {
		tried += count.Tried
	}
	switch {
	case len(r.Accepted) > 0:
		r.Verdict, r.Sentence = Leaks, attackTexts.leaks.In(l, len(r.Accepted), tried)
	case len(r.Untried) > 0 || tried == 0:
		r.Verdict, r.Sentence = Undecided, attackTexts.undecided.In(l, tried, len(r.Untried))
	default:
		r.Verdict, r.Sentence = Tight, attackTexts.tight.In(l, tried)
	}
	if r.Verdict == Leaks && r.Relay == "open" {
		r.Sentence += " " + attackTexts.allow.In(l)
	}
	return r
}

// print prints what was accepted first, then the table, then what could not be tried.
func (r AttackReport) print(out io.Writer) error {
	l := r.language
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintf(w, "%s\n\n", r.Sentence)
	r.list(w, attackTexts.acceptedTitle, r.Accepted)
	for i, heading := range []checkText{attackTexts.group, attackTexts.tried, attackTexts.refused,
		attackTexts.accepted, attackTexts.untried} {
		if i > 0 {
			fmt.Fprint(w, "\t")
		}
		fmt.Fprint(w, strings.ToUpper(heading.In(l)))
	}
	fmt.Fprintln(w)
	for _, c := range r.Groups {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\n", attackTexts.groups[c.Group].In(l), c.Tried, c.Refused,
			c.Accepted, c.Untried)
	}
	var ways []string
	for _, way := range r.Ways {
		ways = append(ways, way.String())
	}
	fmt.Fprintf(w, "\n%s\n", attackTexts.over.In(l, r.Server, strings.Join(ways, ", ")))
	if len(r.Untried) > 0 {
		fmt.Fprintln(w)
		r.list(w, attackTexts.untriedTitle, r.Untried)
	}
	return w.Flush()
}

// list prints tries. Tries that only differ in their way share a line.
func (r AttackReport) list(w io.Writer, title checkText, tries []hostile.Try) {
	if len(tries) == 0 {
		return
	}
	fmt.Fprintln(w, title.In(r.language))
	type line struct{ name, answer string }
	var lines []line
	ways := map[line][]string{}
	for _, try := range tries {
		key := line{terminal.Printable(try.Name), terminal.Printable(try.Answer)}
		if !slices.Contains(lines, key) {
			lines = append(lines, key)
		}
		if try.Way != nil {
			ways[key] = append(ways[key], try.Way.String())
		}
	}
	for _, key := range lines {
		fmt.Fprintf(w, "  %s\t%s\t%s\n", key.name, key.answer, strings.Join(ways[key], ", "))
	}
	fmt.Fprintln(w)
}

var attackTexts = struct {
	leaks, undecided, tight, allow, over     checkText
	group, tried, refused, accepted, untried checkText
	acceptedTitle, untriedTitle              checkText
	groups                                   map[hostile.Group]checkText
}{
	leaks: checkText{"ANGENOMMEN: %d von %d Angriffen.", "ACCEPTED: %d of %d attacks."},
	undecided: checkText{"Angenommen wurde nichts; abgewiesen: %d Angriffe; nicht versucht, und " +
		"kein Beweis: %d.", "Nothing was accepted; refused: %d attacks; not tried, so not proven: %d."},
	tight: checkText{"Nichts wurde angenommen: Alle %d Angriffe wurden abgewiesen.",
		"Nothing was accepted: all %d attacks were refused."},
	allow: checkText{"Peers, die relay.allow nennt, sind Ihre Wahl.",
		"Peers that relay.allow names are your choice."},
	over: checkText{"Angegriffen wurde %s über %s.", "Attacked: %s, over %s."},

	group:    checkText{"Angriff", "attack"},
	tried:    checkText{"versucht", "tried"},
	refused:  checkText{"abgewiesen", "refused"},
	accepted: checkText{"angenommen", "accepted"},
	untried:  checkText{"nicht versucht", "not tried"},

	acceptedTitle: checkText{"Angenommen, und was der Server antwortete:",
		"Accepted, and what the server answered:"},
	untriedTitle: checkText{"Nicht versucht, und warum:", "Not tried, and why:"},

	groups: map[hostile.Group]checkText{
		hostile.Peers:    {"verbotene Adressen und fremde Termine", "forbidden peers and other appointments"},
		hostile.Lengths:  {"falsche Längen", "false lengths"},
		hostile.Requests: {"Anfragen ohne gültige Zugangsdaten", "requests without a valid credential"},
		hostile.Web:      {"Verwaltung ohne Token", "admin API without a token"},
	},
}

// attackProgress shows the progress on a terminal. Its functions must not be called concurrently.
func attackProgress(stderr io.Writer,
	l lang.Language) (event func(hostile.Group, *check.Way), end func()) {
	if !terminal.Is(stderr) {
		return func(hostile.Group, *check.Way) {}, func() {}
	}
	line := terminal.LineOn(stderr)
	return func(group hostile.Group, way *check.Way) {
		text := attackTexts.groups[group].In(l)
		if way != nil {
			text = way.String() + ": " + text
		}
		line.Show(text)
	}, func() { line.Show("") }
}
