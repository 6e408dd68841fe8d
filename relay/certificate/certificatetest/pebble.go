package certificatetest

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const version = "v2.10.1"

// Ports of Address that the authority validates on, instead of 443 and 80.
const (
	TLSPort  = 15443
	HTTPPort = 15080
)

// Options configure an authority.
type Options struct {
	Lifetime time.Duration     // of certificates, whole seconds; 0: 90 days
	EAB      map[string]string // key identifiers and base64url keys; empty: no binding required
}

// Pebble is Let's Encrypt's authority for tests. It really validates, but only on this host's
// network, at its own address and with its own DNS. It can be stopped and started again, and then
// has forgotten everything.
type Pebble struct {
	Address   string // of 127.0.0.0/8; every name resolves to it
	Directory string
	CAFile    string // authority for the directory's certificate
	folder    string
	roots     []byte
	client    *http.Client
	programs  []*exec.Cmd
	log       *journal
}

// journal collects pebble's output.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

// NewPebble makes an authority that is not started yet.
func NewPebble(t testing.TB, o Options) *Pebble {
	t.Helper()
	p := &Pebble{folder: t.TempDir(), log: new(journal)}
	// Its own address keeps its fixed ports apart from everything else on this host.
	p.Address = fmt.Sprintf("127.%d.%d.%d", 1+rand.N(254), rand.N(256), 1+rand.N(254))
	p.Directory = "https://" + p.at(14000) + "/dir"
	p.CAFile = filepath.Join(p.folder, "ca.pem")
	authority := NewCA(t)
	chain, key := authority.Issue(t, p.Address, nil)
	lifetime := o.Lifetime
	if lifetime == 0 {
		lifetime = 90 * 24 * time.Hour
	}
	settings, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": p.at(14000), "managementListenAddress": p.at(15000),
		"certificate": filepath.Join(p.folder, "directory.pem"), "privateKey": filepath.Join(p.folder, "directory.key"),
		"httpPort": HTTPPort, "tlsPort": TLSPort,
		"externalAccountBindingRequired": len(o.EAB) > 0, "externalAccountMACKeys": o.EAB,
		"retryAfter":   map[string]int{"authz": 1, "order": 1},
		"keyAlgorithm": "ecdsa",
		"profiles": map[string]any{"default": map[string]any{"description": "the only one",
			"validityPeriod": int(lifetime.Seconds())}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"ca.pem": authority.PEM, "directory.pem": chain,
		"directory.key": key, "pebble.json": settings} {
		if err := os.WriteFile(filepath.Join(p.folder, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.client = &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: authority.Pool()}, DisableKeepAlives: true,
	}}
	return p
}

func (p *Pebble) at(port int) string { return fmt.Sprintf("%s:%d", p.Address, port) }

// Start starts the authority and stops it when the test ends.
func (p *Pebble) Start(t testing.TB) {
	t.Helper()
	programs, err := install()
	if err != nil {
		t.Fatal(err)
	}
	p.run(t, filepath.Join(programs, "pebble-challtestsrv"), "-http01", "", "-https01", "",
		"-tlsalpn01", "", "-doh", "",
		"-dnsserver", p.at(8053), "-management", p.at(8055), "-defaultIPv4", p.Address, "-defaultIPv6", "")
	p.run(t, filepath.Join(programs, "pebble"), "-config", filepath.Join(p.folder, "pebble.json"),
		"-dnsserver", p.at(8053))
	t.Cleanup(p.Stop)
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(30 * time.Second); ; <-ticker.C {
		response, err := p.client.Get(p.Directory)
		if err == nil {
			response.Body.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("pebble does not serve: %v\n%s", err, p.Log())
		}
	}
	response, err := p.client.Get("https://" + p.at(15000) + "/roots/0")
	if err == nil {
		p.roots, err = io.ReadAll(response.Body)
		response.Body.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (p *Pebble) run(t testing.TB, program string, args ...string) {
	t.Helper()
	c := exec.Command(program, args...)
	// No pauses before validations, and no random refusals of good nonces.
	c.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0", "PEBBLE_AUTHZREUSE=0")
	c.Stdout, c.Stderr = p.log, p.log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	p.programs = append(p.programs, c)
}

// Stop stops the authority.
func (p *Pebble) Stop() {
	for _, c := range p.programs {
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	p.programs = nil
}

// Roots are the root certificates of what was issued since the start.
func (p *Pebble) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(p.roots)
	return pool
}

// Log returns the authority's output.
func (p *Pebble) Log() string {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	return p.log.text.String()
}

// Orders returns how many certificates were requested.
func (p *Pebble) Orders() int { return strings.Count(p.Log(), "POST /order-plz") }

// install builds pebble and its DNS, once per run of tests.
var install = sync.OnceValues(func() (folder string, err error) {
	// Kept in the user's cache, so that each version is built only once.
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	folder = filepath.Join(cache, "praxisrelay-test", "pebble-"+version)
	for _, program := range []string{"pebble", "pebble-challtestsrv"} {
		if _, err := os.Stat(filepath.Join(folder, program)); err == nil {
			continue
		}
		c := exec.Command("go", "install", "github.com/letsencrypt/pebble/v2/cmd/"+program+"@"+version)
		c.Env = append(os.Environ(), "GOBIN="+folder, "GOFLAGS=")
		if out, err := c.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s cannot be built: %w: %s", program, err, out)
		}
	}
	return folder, nil
})
