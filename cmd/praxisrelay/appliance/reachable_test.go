package appliance

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/logs"
	"praxisrelay/config"
)

// TestNameThatLeadsElsewhereIsWarnedOf also checks that a name that leads here gives no warning.
func TestNameThatLeadsElsewhereIsWarnedOf(t *testing.T) {
	for name, want := range map[string]string{
		"127.0.0.1":     "",
		"localhost":     "",
		"relay.invalid": `level=WARN msg="clients may not arrive" name="relay.invalid does not resolve here`, // RFC 6761, section 6.4
	} {
		var log bytes.Buffer
		a := &Appliance{settings: config.Config{Name: name},
			log: logs.New(&log, slog.LevelInfo, config.Pseudonym, time.Now)}
		a.checkName(t.Context())
		if got := log.String(); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
