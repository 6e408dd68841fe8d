package front

import (
	"log/slog"
	"regexp"
)

// faults takes the HTTP servers' own log lines, which hold clients' addresses. Clients that break
// off are not logged. A handler's panic is our fault: the log names the place, but nothing of the
// request.
type faults struct{ log *slog.Logger }

func (f faults) Write(text []byte) (int, error) {
	if panicked.Match(text) {
		at := "unknown"
		if frame := ownFrame.FindSubmatch(text); frame != nil {
			at = string(frame[1])
		}
		f.log.Error("a request failed by a fault of the program", "at", at)
	}
	return len(text), nil
}

var (
	panicked = regexp.MustCompile(`^http: panic serving `)
	// ownFrame matches our topmost frame in the stack, below the runtime's.
	ownFrame = regexp.MustCompile(`(?m)^praxisrelay/.*\n\t.*?(\w+/\w+\.go:\d+)`)
)
