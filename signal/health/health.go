// Package health answers two questions of those who watch the appliance, each with
// 200 and "ok", or with 503 and a line for every reason why not:
//
//	/healthz   is the process working? If not for long: restart it.
//	/readyz    would it take new calls? If not: send clients elsewhere, tell people.
//	           If so, whatever needs attention all the same follows as a "warning:".
//
// Anybody may ask, so reasons name no client, no file and no secret, and asking is
// cheap.
package health

import (
	"fmt"
	"net/http"
	"strings"
)

// Check is one condition. Test returns what is wrong, in words fit for the public and with a
// remedy, or nil. Any goroutine may call it at any time.
type Check struct {
	Name string // a label value of metrics: lower case, fixed
	Test func() error
}

// Checks are the conditions. They do not change once requests are served.
type Checks struct {
	Alive []Check
	Ready []Check // in addition to those for Alive
	// Doubts need attention, but turn no client away.
	Doubts []Check
}

// Patterns are the requests that Handler serves, as [http.ServeMux] patterns. Load balancers also
// use OPTIONS.
var Patterns = []string{"GET /healthz", "OPTIONS /healthz", "GET /readyz", "OPTIONS /readyz"}

// Handler serves Patterns, and HEAD as GET.
func (c *Checks) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, method := range []string{"GET", "OPTIONS"} {
		mux.HandleFunc(method+" /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, nil, c.Alive) })
		mux.HandleFunc(method+" /readyz", func(w http.ResponseWriter, _ *http.Request) { answer(w, c.Doubts, c.Alive, c.Ready) })
	}
	return mux
}

// Options answers OPTIONS on a path with GET, which is how HAProxy checks / by default.
func Options(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Allow", Allow)
	w.WriteHeader(http.StatusNoContent)
}

// Allow is the value of the header Allow for a path with GET.
const Allow = "GET, HEAD, OPTIONS"

func answer(w http.ResponseWriter, doubts []Check, lists ...[]Check) {
	var body strings.Builder
	say := func(kind string, list []Check) {
		for _, check := range list {
			if err := check.Test(); err != nil {
				fmt.Fprintf(&body, "%s%s: %v\n", kind, check.Name, err)
			}
		}
	}
	for _, list := range lists {
		say("", list)
	}
	status := http.StatusServiceUnavailable
	if body.Len() == 0 {
		status = http.StatusOK
		body.WriteString("ok\n")
	}
	say("warning: ", doubts)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Allow", Allow)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body.String()))
}
