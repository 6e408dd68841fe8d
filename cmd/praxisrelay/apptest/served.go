package apptest

import (
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/registry"
)

// ReloadBySignal sends SIGHUP and waits until the status shows the result.
func (s *Served) ReloadBySignal(t *testing.T) {
	t.Helper()
	before, err := s.Admin.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for after, began := before, time.Now(); reflect.DeepEqual(after.Reload, before.Reload); {
		if after, err = s.Admin.Status(t.Context()); err != nil || time.Since(began) > time.Minute {
			t.Fatalf("not reloaded in time: %v", err)
		}
	}
}

// Served is a daemon that runs serve with a configuration file.
type Served struct {
	*Daemon
	URL        string
	API        string // the admin API's URL
	Monitoring string // the URL of the metrics and health
	CA         string // the file of its certificate
	Socket     string
	Admin      *adminclient.Client
}

// StartServe runs an appliance with its own configuration. prepare, if not nil, may fill the
// registry before the start.
func StartServe(t testing.TB, prepare func(registry.Registry, *appointment.Pepper)) *Served {
	t.Helper()
	file, folder := WriteConfig(t)
	if prepare != nil {
		registry, err := registry.Open(filepath.Join(folder, "registry.db"))
		if err != nil {
			t.Fatal(err)
		}
		prepare(registry, readPepper(t, folder))
		if err := registry.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s := NewServed(folder)
	s.Daemon = Start(t, s.Trusted(file), true, s.Serving)
	return s
}

// Trusted returns the command to serve on a host that trusts the certificate.
func (s *Served) Trusted(file string) *exec.Cmd {
	c := Program("serve", "--config", file)
	c.Env = append(c.Env, "SSL_CERT_FILE="+s.CA)
	return c
}

// NewServed describes the daemon of WriteConfig's folder, before it is started.
func NewServed(folder string) *Served {
	s := &Served{CA: filepath.Join(folder, "cert.pem"), Socket: filepath.Join(folder, "admin.sock")}
	s.Admin = adminclient.New(s.Socket)
	return s
}

// Serving reads the addresses from the log line that reports them.
func (s *Served) Serving(line string) bool {
	_, rest, ok := strings.Cut(line, "msg=serving url=")
	s.URL, _, _ = strings.Cut(rest, " ")
	_, monitoring, _ := strings.Cut(rest, " metrics=")
	monitoring, api, _ := strings.Cut(monitoring, " admin=")
	s.Monitoring = "http://" + monitoring
	s.API = "https://" + api
	return ok
}

func readPepper(t testing.TB, folder string) *appointment.Pepper {
	t.Helper()
	keys, err := secrets.ReadPeppers(filepath.Join(folder, "pepper.secret"), secrets.FromDisk)
	if err != nil {
		t.Fatal(err)
	}
	pepper, err := appointment.NewPepper(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return pepper
}
