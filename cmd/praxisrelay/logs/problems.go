package logs

import (
	"log/slog"
	"slices"
	"time"
)

// Problem is a warning or an error, and how often it occurred.
type Problem struct {
	Level   slog.Level
	Message string
	Details string // attributes of the latest occurrence, as in the log
	Count   int
	First   time.Time
	Last    time.Time
}

// maxProblems is how many problems are kept.
const maxProblems = 20

// problems holds the latest problems, ordered by their latest occurrence.
type problems struct {
	kept []keptProblem
}

type keptProblem struct {
	event
	Problem
	attrs []slog.Attr // of the latest occurrence
}

func (p *problems) note(now time.Time, e event, attrs []slog.Attr, times uint64) {
	one := keptProblem{event: e, Problem: Problem{Level: e.level, Message: e.message, First: now}}
	if at := slices.IndexFunc(p.kept, func(k keptProblem) bool { return k.event == e }); at >= 0 {
		one = p.kept[at]
		p.kept = slices.Delete(p.kept, at, at+1)
	} else if len(p.kept) == maxProblems {
		p.kept = slices.Delete(p.kept, 0, 1)
	}
	one.attrs, one.Last = attrs, now
	one.Count += int(times)
	p.kept = append(p.kept, one)
}

func (p *problems) list() (list []Problem) {
	for _, one := range slices.Backward(p.kept) {
		one.Details = text(one.attrs)
		list = append(list, one.Problem)
	}
	return list
}
