// Package pebbletest runs pebble, Let's Encrypt's authority for tests, beside a test. It
// validates for real, over the network of this host alone.
package pebbletest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
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

// Name is what certificates are asked for; it resolves to the authority's Address.
const Name = "relay.example.org"

// Ports of Address that the authority validates at, in place of 443 and 80.
const (
	TLSPort  = 15443
	HTTPPort = 15080
)

// Options are how an authority behaves.
type Options struct {
	Lifetime time.Duration     // of certificates, whole seconds; 0: 90 days
	EAB      map[string]string // key identifiers and keys, base64url; empty: none is needed
}

// Authority is a pebble with an address and a DNS of its own, which may be started and
// stopped, and forgets everything in between.
type Authority struct {
	Address   string // of 127.0.0.0/8, for the server that it validates
	Directory string
	CAFile    string // vouches for the directory
	folder    string
	roots     []byte
	client    *http.Client
	programs  []*exec.Cmd
	log       *journal
}

// journal is what pebble prints.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

// New makes an authority that is not started.
func New(t testing.TB, o Options) *Authority {
	t.Helper()
	a := &Authority{folder: t.TempDir(), log: new(journal)}
	// An address of its own keeps its fixed ports apart from whatever else runs here.
	a.Address = fmt.Sprintf("127.%d.%d.%d", 1+mathrand.N(254), mathrand.N(256), 1+mathrand.N(254))
	a.Directory = "https://" + a.at(14000) + "/dir"
	a.CAFile = filepath.Join(a.folder, "directory.pem")
	chain, key := selfSigned(t, a.Address)
	lifetime := o.Lifetime
	if lifetime == 0 {
		lifetime = 90 * 24 * time.Hour
	}
	settings, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": a.at(14000), "managementListenAddress": a.at(15000),
		"certificate": a.CAFile, "privateKey": filepath.Join(a.folder, "directory.key"),
		"httpPort": HTTPPort, "tlsPort": TLSPort,
		"externalAccountBindingRequired": len(o.EAB) > 0, "externalAccountMACKeys": o.EAB,
		"retryAfter":   map[string]int{"authz": 1, "order": 1},
		"keyAlgorithm": "ecdsa",
		"profiles":     map[string]any{"default": map[string]any{"description": "the only one", "validityPeriod": int(lifetime.Seconds())}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"directory.pem": chain, "directory.key": key, "pebble.json": settings} {
		if err := os.WriteFile(filepath.Join(a.folder, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(chain)
	a.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}, DisableKeepAlives: true}}
	return a
}

func (a *Authority) at(port int) string { return fmt.Sprintf("%s:%d", a.Address, port) }

// Start starts it, and stops it when the test ends.
func (a *Authority) Start(t testing.TB) {
	t.Helper()
	programs, err := install()
	if err != nil {
		t.Fatal(err)
	}
	a.run(t, filepath.Join(programs, "pebble-challtestsrv"), "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "",
		"-dnsserver", a.at(8053), "-management", a.at(8055), "-defaultIPv4", a.Address, "-defaultIPv6", "")
	a.run(t, filepath.Join(programs, "pebble"), "-config", filepath.Join(a.folder, "pebble.json"), "-dnsserver", a.at(8053))
	t.Cleanup(a.Stop)
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(30 * time.Second); ; <-ticker.C {
		response, err := a.client.Get(a.Directory)
		if err == nil {
			response.Body.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("pebble does not serve: %v\n%s", err, a.Log())
		}
	}
	response, err := a.client.Get("https://" + a.at(15000) + "/roots/0")
	if err == nil {
		a.roots, err = io.ReadAll(response.Body)
		response.Body.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (a *Authority) run(t testing.TB, program string, args ...string) {
	t.Helper()
	c := exec.Command(program, args...)
	// Without pauses before validations, and without its refusals of good nonces.
	c.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0", "PEBBLE_AUTHZREUSE=0")
	c.Stdout, c.Stderr = a.log, a.log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	a.programs = append(a.programs, c)
}

// Stop stops it.
func (a *Authority) Stop() {
	for _, c := range a.programs {
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	a.programs = nil
}

// Roots vouch for the certificates that were issued since the start.
func (a *Authority) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(a.roots)
	return pool
}

// Log is what it printed.
func (a *Authority) Log() string {
	a.log.mu.Lock()
	defer a.log.mu.Unlock()
	return a.log.text.String()
}

// Orders is how many certificates it was asked for.
func (a *Authority) Orders() int { return strings.Count(a.Log(), "POST /order-plz") }

// install builds pebble and its DNS, once per run of tests.
var install = sync.OnceValues(func() (folder string, err error) {
	// In the user's cache, so that it is built once per version.
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

// selfSigned makes the certificate of the directory.
func selfSigned(t testing.TB, address string) (chain, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.ParseIP(address)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}
