package appliance

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/config"
	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/protocol"
)

// reloadable are the keys that take effect during calls, as docs/operation.md says. All others need
// a restart: they concern bound sockets, or what clients already know.
var reloadable = []string{
	"listen.max_connections", "listen.max_connections_per_prefix", "listen.max_handshakes",
	"tls.certificate", "tls.key",
	"relay.secret_files", "relay.allow", "relay.deny", "relay.credential_lifetime", "relay.max_session",
	"relay.max_per_seat", "relay.max_per_prefix", "relay.max_allocations",
	"relay.allocation_rate", "relay.total_rate", "relay.unauthenticated_rate",
	"signal.pepper_file", "signal.admission",
	"metrics.synthetic_calls", "log.level", "log.addresses",
	"drain_timeout",
}

// reloadOn reads everything again at every SIGHUP. Credentials from the service manager never
// change while the daemon runs, so the files of the last praxisrelay reload replace them.
func (a *Appliance) reloadOn(ctx context.Context, hangup <-chan os.Signal, file string) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			_, _ = a.reload(file, a.newest) // errors are logged
		}
	}
}

// serveReload takes the files that praxisrelay reload has read: it runs as root, which may read
// more than the daemon.
func (a *Appliance) serveReload(w http.ResponseWriter, r *http.Request) {
	const most = 4 << 20 // bytes of all files, in base64
	var handed api.Reload
	if err := readOperation(w, r, most, &handed); err != nil {
		http.Error(w, "the body is not what praxisrelay reload sends", http.StatusBadRequest)
		return
	}
	if len(handed.Mistakes) > 0 {
		a.notReloaded(errors.New(strings.Join(handed.Mistakes, "\n")))
		answerOperation(w, api.Reloaded{Mistakes: handed.Mistakes})
		return
	}
	done, err := a.reload(handed.File, secrets.FromMemory(handed.Files))
	if err != nil {
		done.Mistakes = strings.Split(err.Error(), "\n")
	} else {
		a.handed.Store(&handed.Files)
	}
	answerOperation(w, done)
}

// newest is [secrets.FromCredentials], except for credentials that praxisrelay reload has replaced
// since: going back to those of the start would undo that.
func (a *Appliance) newest(file string, secret bool) ([]byte, error) {
	if files := a.handed.Load(); files != nil && secrets.InCredentials(file) {
		if text, ok := (*files)[file]; ok {
			return text, nil
		}
	}
	return secrets.FromCredentials(file, secret)
}

// readOperation reads the body of a request that only the program's own commands send.
func readOperation(w http.ResponseWriter, r *http.Request, most int64, into any) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err != nil {
		return err
	}
	return protocol.Decode(body, into)
}

func answerOperation(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

// reload takes the configuration and all files that it names, or changes nothing.
func (a *Appliance) reload(file string, read secrets.Source) (done api.Reloaded, err error) {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	c, s, err := secrets.Load(file, read, time.Now())
	if err == nil {
		done, err = a.takeLocked(c, s)
	}
	if err != nil {
		a.notReloaded(err)
		return done, err
	}
	a.noteReload(nil)
	a.reloads.succeeded(time.Now())
	a.log.Info("reloaded", "changed", strings.Join(done.Changed, " "), "after_restart",
		strings.Join(done.Restart, " "))
	return done, nil
}

// notReloaded reports a mistake, found here or by the command, in the status, metrics and log.
func (a *Appliance) notReloaded(err error) {
	a.noteReload(err)
	a.reloads.failed()
	a.log.Error("not reloaded: everything is as before", "error", strings.ReplaceAll(err.Error(), "\n", "; "))
}

// takeLocked applies what may change during calls.
func (a *Appliance) takeLocked(c config.Config, s secrets.Set) (done api.Reloaded, err error) {
	done = api.Reloaded{Changed: []string{}, Restart: []string{}}
	next := a.settings
	// A certificate for another name only works after a restart, as does a change between ACME and
	// files.
	swap := a.acme == nil && s.Pair.Chain != nil && c.Name == a.settings.Name
	for _, key := range config.Changes(a.settings, c) {
		if slices.Contains(reloadable, key) && (swap || !isPairKey(key)) {
			done.Changed = append(done.Changed, key)
			config.Take(&next, c, key)
		} else {
			done.Restart = append(done.Restart, key)
		}
	}
	if !swap {
		s.Pair = a.secrets.Pair
	}
	for _, key := range a.secrets.Changes(s) {
		if !slices.Contains(done.Changed, key) {
			done.Changed = append(done.Changed, key)
		}
	}
	fit, err := a.fitPepper(s.Peppers...)
	if err == nil {
		err = pepperMistake(fit, c)
	}
	if err != nil {
		return done, err
	}
	if swap {
		if err := a.pair.Replace(s.Pair.Chain, s.Pair.Key); err != nil {
			return done, err
		}
	}
	// Everything has been checked by now: the rest does not fail.
	if err := a.relay.Reconfigure(next.Listen, next.Relay); err != nil {
		return done, err
	}
	if err := a.keys.Replace(s.TURN...); err != nil {
		return done, err
	}
	if err := a.pepper.Replace(s.Peppers...); err != nil {
		return done, err
	}
	a.takeFit(fit)
	a.lifetime.Store(int64(next.Relay.CredentialLifetime))
	a.signal.SetWaiting(next.Signal.Admission == config.ByDoctor)
	a.synthetic.SetInterval(next.Metrics.SyntheticCalls)
	a.log.Level.Set(next.Log.Level)
	a.log.SetAddresses(next.Log.Addresses)
	a.settings, a.secrets = next, s
	return done, nil
}

// isPairKey reports whether a configuration key names a file of the certificate.
func isPairKey(key string) bool { return key == "tls.certificate" || key == "tls.key" }

// inEffect returns the configuration in effect.
func (a *Appliance) inEffect() config.Config {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	return a.settings
}

// operations are the requests on the admin socket that only the program's own commands send.
func (a *Appliance) operations() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"POST /v1/reload":  a.serveReload,
		"POST /v1/pepper":  a.servePepper,
		"GET /v1/drain":    a.serveDrain,
		"PUT /v1/drain":    a.serveStartDrain,
		"DELETE /v1/drain": a.serveEndDrain,

		"POST /v1/credentials": a.serveCredentials,
	}
}
