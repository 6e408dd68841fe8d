// Package logs is the daemon's log: one line per event that an operator should know about.
//
// The code that logs decides what counts as an event; this package decides how much of it is
// written. Clients' addresses are passed as [netip.Addr], under any key, and are written as
// configured: as pseudonyms by default (addresses.go). Repeated events are summed up (repeats.go),
// and the latest warnings and errors are kept for the status (problems.go). docs/logging.md lists
// all events.
package logs

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"praxisrelay/config"
)

// Log is the daemon's logger.
type Log struct {
	*slog.Logger
	// Level is the lowest level that is written. It may be changed at any time.
	Level slog.LevelVar

	kind   atomic.Pointer[string] // of addresses; read by Shown without the lock
	now    func() time.Time
	w      io.Writer
	format format

	mu        sync.Mutex // serializes changes of the fields below, and writing
	addresses addresses
	repeats   repeats
	problems  problems
}

// New returns a Log that writes to w in the format that suits w, with clients' addresses as
// config.Pseudonym, Prefix or Full.
func New(w io.Writer, level slog.Level, addresses string, now func() time.Time) *Log {
	l := &Log{now: now, w: w, format: formatFor(w), repeats: repeats{}}
	l.Logger = slog.New(handler{log: l})
	l.Level.Set(level)
	l.SetAddresses(addresses)
	return l
}

// SetAddresses changes how clients' addresses are written from now on.
func (l *Log) SetAddresses(kind string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.addresses.kind = kind
	l.kind.Store(&kind)
}

// Shown returns the form in which an address may be kept outside the log: empty if the log itself
// only contains a pseudonym. It does not wait for a write in progress.
func (l *Log) Shown(client netip.Addr) string {
	kind := *l.kind.Load()
	if kind != config.Full && kind != config.Prefix {
		return ""
	}
	a := addresses{kind: kind}
	return a.name(time.Time{}, client)
}

// Run writes the sums of repeated events every few seconds, until ctx is done.
func (l *Log) Run(ctx context.Context) {
	ticker := time.NewTicker(10 * time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			l.sumUp(period)
		}
	}
}

// Close writes the sums that are still pending.
func (l *Log) Close() { l.sumUp(0) }

// Problems returns the latest warnings and errors, newest first.
func (l *Log) Problems() []Problem {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.problems.list()
}

// timesKey is the uint64 attribute of a record that stands for that many events.
const timesKey = "times"

// event identifies records of the same kind: it leaves out the network and the count.
type event struct {
	level   slog.Level
	message string
	details string // attributes as text
}

// take records a problem, counts a repetition, or writes the record.
func (l *Log) take(level slog.Level, message string, attrs []slog.Attr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	var network string
	var others []slog.Attr
	times := uint64(1)
	for i, attr := range attrs {
		if client, ok := attr.Value.Any().(netip.Addr); ok {
			network = l.addresses.name(now, client)
			attrs[i].Value = slog.StringValue(network)
		} else if attr.Key == timesKey && attr.Value.Kind() == slog.KindUint64 {
			times = attr.Value.Uint64()
		} else {
			others = append(others, attr)
		}
	}
	e := event{level, message, text(others)}
	if level >= slog.LevelWarn {
		l.problems.note(now, e, attrs, times)
	}
	if level >= l.Level.Level() && l.repeats.note(now, e, network, times) {
		l.write(now, level, message, text(attrs))
	}
}

// sumUp writes the sums of events that have been counted for at least the given time.
func (l *Log) sumUp(after time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	for _, sum := range l.repeats.sums(now, after) {
		l.write(now, sum.level, sum.message, sum.details)
	}
}

// write writes one line. A failure cannot be reported anywhere.
func (l *Log) write(now time.Time, level slog.Level, message, details string) {
	line := l.format(now, level, message)
	if details != "" {
		line += " " + details
	}
	_, _ = io.WriteString(l.w, line+"\n")
}

// text renders attributes on one line, as slog does.
func text(attrs []slog.Attr) string {
	var b bytes.Buffer
	h := slog.NewTextHandler(&b, &slog.HandlerOptions{ReplaceAttr: withoutHead})
	r := slog.Record{}
	r.AddAttrs(attrs...)
	_ = h.Handle(context.Background(), r) // writing to a buffer cannot fail
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

func withoutHead(groups []string, attr slog.Attr) slog.Attr {
	if len(groups) == 0 && (attr.Key == slog.LevelKey || attr.Key == slog.MessageKey) {
		return slog.Attr{}
	}
	return attr
}

// handler implements slog.Handler.
type handler struct {
	log   *Log
	attrs []slog.Attr
	group string // prefix of every key
}

// Enabled accepts warnings even if they are not written, because they are kept as problems.
func (h handler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= min(h.log.Level.Level(), slog.LevelWarn)
}

func (h handler) Handle(_ context.Context, r slog.Record) error {
	attrs := h.attrs[:len(h.attrs):len(h.attrs)]
	r.Attrs(func(attr slog.Attr) bool {
		attrs = append(attrs, h.grouped(attr))
		return true
	})
	h.log.take(r.Level, r.Message, attrs)
	return nil
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.attrs = h.attrs[:len(h.attrs):len(h.attrs)]
	for _, attr := range attrs {
		h.attrs = append(h.attrs, h.grouped(attr))
	}
	return h
}

func (h handler) WithGroup(name string) slog.Handler {
	if name != "" {
		h.group += name + "."
	}
	return h
}

func (h handler) grouped(attr slog.Attr) slog.Attr {
	attr.Key, attr.Value = h.group+attr.Key, attr.Value.Resolve()
	return attr
}
