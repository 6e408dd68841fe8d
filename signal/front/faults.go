package front

import (
	"log/slog"
	"regexp"
)

// faults is where HTTP servers write what they have to say, with clients' addresses in
// it. Clients that break off are nobody's business. A handler that panicked is a fault
// of ours: the log says where, but not what the request held.
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
	// ownFrame is the first of ours in the stack, below those of the runtime.
	ownFrame = regexp.MustCompile(`(?m)^praxisrelay/.*\n\t.*?(\w+/\w+\.go:\d+)`)
)
