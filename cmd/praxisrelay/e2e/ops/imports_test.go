package ops

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestImportDirections keeps the architecture as designed. Each rule names packages by prefix, or
// one package after "=", what they must not import, and why.
func TestImportDirections(t *testing.T) {
	rules := []struct{ from, not, why string }{
		{"config", "praxisrelay/cmd", "types and their validation are everybody's ground"},
		{"config", "praxisrelay/docs", "types and their validation are everybody's ground"},
		{"config", "praxisrelay/relay", "types and their validation are everybody's ground"},
		{"config", "praxisrelay/signal", "types and their validation are everybody's ground"},
		{"config", "praxisrelay/systemd", "types and their validation are everybody's ground"},
		{"docs", "praxisrelay/", "they are read, and do nothing"},
		{"systemd", "praxisrelay/", "the service manager knows nothing of TURN or HTTP"},
		{"relay", "praxisrelay/signal", "either can be understood, and replaced, without the other"},
		{"signal", "praxisrelay/relay", "either can be understood, and replaced, without the other"},
		{"relay", "praxisrelay/cmd", "only the program knows all parts"},
		{"signal", "praxisrelay/cmd", "only the program knows all parts"},
		{"relay", "praxisrelay/systemd", "how the daemon is run is the program's business"},
		{"signal", "praxisrelay/systemd", "how the daemon is run is the program's business"},
		{"signal", "praxisrelay/config", "its options are few: the program hands them over"},
		{"cmd/praxisrelay/appliance", "praxisrelay/cmd/praxisrelay/cli", "the daemon needs no command"},
		{"cmd/praxisrelay/appliance", "praxisrelay/cmd/praxisrelay/setup", "the daemon needs no command"},
		{"cmd/praxisrelay/appliance", "praxisrelay/cmd/praxisrelay/sitecheck", "the daemon needs no command"},
		{"cmd/praxisrelay/appliance", "praxisrelay/cmd/praxisrelay/terminal", "nobody looks at a daemon: it logs"},
		{"cmd/praxisrelay/appliance", "github.com/spf13/cobra", "the daemon needs no command"},
		{"cmd/praxisrelay/apptest", "praxisrelay/cmd/praxisrelay/cli", "tests within the commands and the daemon use it too"},
		{"cmd/praxisrelay/terminal", "praxisrelay/", "it shows what it is given"},
		{"cmd/praxisrelay/secrets", "praxisrelay/cmd", "it reads files for the daemon and the commands alike"},
		{"cmd/praxisrelay/setup", "praxisrelay/cmd/praxisrelay/sitecheck", "one command does not know another"},
		{"cmd/praxisrelay/setup", "praxisrelay/cmd/praxisrelay/logs", "it runs before there is a daemon"},
		{"cmd/praxisrelay/sitecheck", "praxisrelay/cmd/praxisrelay/setup", "one command does not know another"},
		{"cmd/praxisrelay/sitecheck", "praxisrelay/cmd/praxisrelay/logs", "it runs where there is no daemon"},
		{"relay/core", "praxisrelay/config/network/shares", "it counts what it holds itself"},
		{"relay/core", "net", "a pure state machine has no sockets"},
		{"relay/core", "os", "a pure state machine has no files"},
		{"relay/core", "github.com/prometheus/client_golang/prometheus", "it counts; who is told is the relay's business"},
		{"relay/core", "log/slog", "the packet path logs nothing"},
		{"relay/core", "sync", "one goroutine owns its state"},
		{"relay/core", "praxisrelay/config", "it is handed what it needs"},
		{"relay/certificate", "praxisrelay/relay", "it knows certificates, and no TURN"},
		{"=signal", "praxisrelay/signal/admin", "it asks the rooms; they serve without it"},
		{"=signal", "go.etcd.io/bbolt", "a registry is an interface, which another store may have"},
		{"signal/admin", "=praxisrelay/signal", "it knows the rooms through its interface Signaling"},
		{"signal/admin", "go.etcd.io/bbolt", "a registry is an interface, which another store may have"},
		{"signal/admin/api", "praxisrelay/signal/registry", "clients know it too, and need no database"},
		{"signal/admin/adminclient", "praxisrelay/signal/registry", "a client needs no database"},
		{"signal/appointment", "praxisrelay/signal/registry", "what an appointment is does not depend on where it is kept"},
		{"signal/appointment", "go.etcd.io/bbolt", "what an appointment is does not depend on where it is kept"},
		{"signal/explain", "praxisrelay/signal/registry", "it judges what it is given"},
		{"signal/journal", "praxisrelay/signal/registry", "nothing of it is on disk"},
		{"signal/limit", "praxisrelay/signal/registry", "it counts what it is told"},
		{"signal/invitation", "praxisrelay/signal/registry", "it writes texts about what it is given"},
		{"signal/protocol", "praxisrelay/signal/admin", "those who join administer nothing"},
		{"signal/client", "praxisrelay/signal/admin", "those who join administer nothing"},
		{"signal/client", "praxisrelay/signal/registry", "a client needs no database"},
		{"signal/client", "praxisrelay/signal/page", "a client needs no page"},
		{"signal/invitation", "os", "it writes texts: which files, with which permissions, is the command's business"},
		{"relay", "github.com/pion/turn/v4", "the relay's TURN core is ours; pion's is for clients and tests"},
		{"relay/check", "praxisrelay/", "it is a client: what it knows of the server it is told by it"},
		{"relay/hostile", "praxisrelay/config", "it is a client: what it knows of the server it is told by it"},
		{"relay/hostile", "praxisrelay/relay/core", "the server does not judge itself"},
		{"relay/hostile", "praxisrelay/relay/credential", "it holds no secret: what it shows it was given, or is wrong"},
		{"relay/hostile", "praxisrelay/relay/policy", "the server does not judge itself"},
	}
	const client = "praxisrelay/relay/check"
	shared := []string{"praxisrelay/config/network", "praxisrelay/config/lang"} // for both, without the configuration
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "praxisrelay/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		for i, rule := range rules {
			if !names(rule.from, p.ImportPath) ||
				p.ImportPath == client && rule.not == "github.com/pion/turn/v4" {
				continue
			}
			seen[rule.from] = true
			for _, imported := range p.Imports {
				if rule.not == "praxisrelay/config" && slices.ContainsFunc(shared, func(s string) bool { return within(imported, s) }) {
					continue
				}
				if imported == strings.TrimPrefix(rule.not, "=") ||
					strings.HasSuffix(rule.not, "/") && strings.HasPrefix(imported, rule.not) ||
					strings.HasPrefix(imported, rule.not+"/") && strings.HasPrefix(rule.not, "praxisrelay/") {
					t.Errorf("%s imports %s: %s (rule %d)", p.ImportPath, imported, rule.why, i)
				}
			}
		}
	}
	for _, rule := range rules {
		if !seen[rule.from] {
			t.Errorf("no package is below %q: the rule is stale", rule.from)
		}
	}
}

// names reports whether a rule's first column means a package.
func names(from, path string) bool {
	if one, exact := strings.CutPrefix(from, "="); exact {
		return path == "praxisrelay/"+one
	}
	return within(path, "praxisrelay/"+from)
}

func within(path, prefix string) bool {
	return path == prefix || strings.HasPrefix(path, strings.TrimSuffix(prefix, "/")+"/")
}
