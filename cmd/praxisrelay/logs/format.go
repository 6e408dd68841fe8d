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

// format writes what a line begins with: all but the attributes.
type format func(now time.Time, level slog.Level, message string) string

// formatFor finds out who reads what is written to w.
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

// asText is for programs and for later: what slog's text handler writes.
func asText(now time.Time, level slog.Level, message string) string {
	if strings.ContainsAny(message, " =\"\n") {
		message = strconv.Quote(message)
	}
	return fmt.Sprintf("time=%s level=%s msg=%s", now.Format("2006-01-02T15:04:05.000Z07:00"), level, message)
}

// forTerminal is for people who look on.
func forTerminal(now time.Time, level slog.Level, message string) string {
	return fmt.Sprintf("%s %-5s %s", now.Local().Format(time.TimeOnly), level, message)
}

// forJournal leaves the time to the journal and gives the priority as sd-daemon(3) says.
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
