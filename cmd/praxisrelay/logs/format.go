package logs

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"praxisrelay/systemd"
)

// format renders the beginning of a line: everything but the attributes.
type format func(now time.Time, level slog.Level, message string) string

// formatFor picks the format for the likely reader of w.
func formatFor(w io.Writer) format {
	file, ok := w.(*os.File)
	if !ok {
		return asText
	}
	if file == os.Stderr && systemd.JournalReads() {
		return forJournal
	}
	if info, err := file.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		return forTerminal
	}
	return asText
}

// asText is the format of slog's text handler, for programs and for later analysis.
func asText(now time.Time, level slog.Level, message string) string {
	if strings.ContainsAny(message, " =\"\n") {
		message = strconv.Quote(message)
	}
	return fmt.Sprintf("time=%s level=%s msg=%s", now.Format("2006-01-02T15:04:05.000Z07:00"), level, message)
}

// forTerminal is for a person watching.
func forTerminal(now time.Time, level slog.Level, message string) string {
	return fmt.Sprintf("%s %-5s %s", now.Local().Format(time.TimeOnly), level, message)
}

// forJournal leaves the time to the journal and states the priority as sd-daemon(3) defines it.
func forJournal(_ time.Time, level slog.Level, message string) string {
	priority := 7
	switch {
	case level >= slog.LevelError:
		priority = 3
	case level >= slog.LevelWarn:
		priority = 4
	case level >= slog.LevelInfo:
		priority = 6
	}
	return fmt.Sprintf("<%d>%s", priority, message)
}
