package certificate

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"praxisrelay/relay/certificate/certificatetest"
)

const name = "relay.example.org"

// journal is a log for tests to read.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, string(line))
	return len(line), nil
}

// count returns how many lines contain text.
func (j *journal) count(text string) (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, line := range j.lines {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines, "")
}

func newStore() (*Store, *journal) {
	j := new(journal)
	return NewStore(name, time.Now, slog.New(slog.NewTextHandler(j, nil))), j
}

// serial is the serial number of the serving certificate.
func serial(t *testing.T, s *Store) string {
	t.Helper()
	c, err := s.GetCertificate(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf.SerialNumber.String()
}

func TestBadPairsAreNotTaken(t *testing.T) {
	a := certificatetest.NewCA(t)
	chain, key := a.Issue(t, name, nil)
	other, otherKey := a.Issue(t, name, nil)
	dated := func(begin, end time.Duration) []byte {
		c, k := a.Issue(t, name, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(begin), time.Now().Add(end)
		})
		return append(c, k...)
	}
	named := func(change func(*x509.Certificate)) []byte { c, k := a.Issue(t, name, change); return append(c, k...) }
	for _, row := range []struct {
		what       string
		chain, key []byte
		want       string
	}{
		{"another's key", chain, otherKey, "do not match"},
		{"another's chain", other, key, "do not match"},
		{"nothing", nil, nil, "do not match"},
		{"no key", chain, []byte("hello"), "do not match"},
		{"a key with a passphrase", chain, []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"), "without a passphrase"},
		{"the authority first", append(chain[bytes.Index(chain[1:], []byte("-----BEGIN"))+1:], chain...), key, "own certificate first"},
		{"a broken chain", append(bytes.Clone(chain), []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")...), key, "certificate 3 of the chain"},
		{"one that has ended", dated(-2*day, -day), nil, "renew it"},
		{"one that has not begun", dated(day, 2*day), nil, "correct this host's clock"},
		{"another name", named(func(c *x509.Certificate) { c.DNSNames = []string{"www.example.org"} }), nil, "is for www.example.org and not for relay.example.org"},
		{"an address", named(func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, []net.IP{{192, 0, 2, 1}} }), nil, "is for 192.0.2.1 and not for"},
		{"no name", named(func(c *x509.Certificate) { c.DNSNames, c.Subject.CommonName = nil, name }),
			nil, "has no name, and so is not for"},
	} {
		if row.key == nil {
			row.key = row.chain // both in one file
		}
		s, _ := newStore()
		if err := s.Replace(chain, key); err != nil {
			t.Fatal(err)
		}
		before := serial(t, s)
		if err := s.Replace(row.chain, row.key); err == nil ||
			!strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", row.what, err, row.want)
		}
		if serial(t, s) != before {
			t.Errorf("%s was taken", row.what)
		}
	}
}

func TestFaultsAreLoggedOnce(t *testing.T) {
	for what, row := range map[string]struct {
		make func(t *testing.T, a certificatetest.CA) (chain, key []byte)
		want string
	}{
		"a good one": {func(t *testing.T, a certificatetest.CA) ([]byte, []byte) { return a.Issue(t, name, nil) }, ""},
		"must-staple": {func(t *testing.T, a certificatetest.CA) ([]byte, []byte) {
			return a.Issue(t, name, func(c *x509.Certificate) {
				c.ExtraExtensions = []pkix.Extension{{Id: mustStaple, Value: []byte{0x30, 3, 2, 1, 5}}}
			})
		}, "must-staple"},
		"signed by itself": {func(t *testing.T, a certificatetest.CA) ([]byte, []byte) {
			return certificatetest.SelfSigned(t, name, nil)
		}, "vouches for itself"},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, j := newStore()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go s.Report(ctx)
				chain, key := row.make(t, certificatetest.NewCA(t))
				for range 2 {
					if err := s.Replace(chain, key); err != nil {
						t.Fatal(err)
					}
					time.Sleep(day)
				}
				synctest.Wait()
				if n := j.count("level=WARN"); (n > 0) != (row.want != "") || n > 1 ||
					j.count(row.want) == 0 || j.count("certificate taken") != 1 {
					t.Error(j)
				}
			})
		})
	}
}

// TestRefusedByAllBrowsers: such a pair serves if there is nothing better, so that a new rule here
// does not stop a running server, but it never replaces one that browsers accept.
func TestRefusedByAllBrowsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, j := newStore()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go s.Report(ctx)
		a := certificatetest.NewCA(t)
		_, edwards, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		chain, key := a.IssueFor(t, edwards, name, nil)
		if err := s.Replace(chain, key); err != nil {
			t.Fatalf("it is the only one: %v", err)
		}
		time.Sleep(day)
		synctest.Wait()
		if err := s.Ready(); err == nil || !strings.Contains(err.Error(), "Ed25519") ||
			j.count("no browser accepts") != 1 {
			t.Errorf("ready: %v\n%s", err, j)
		}
		between := a.Between(t, "between", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(day) })
		if err := s.Replace(between.Issue(t, name, nil)); err != nil || s.Ready() != nil {
			t.Fatalf("a good one: %v, ready: %v", err, s.Ready())
		}
		before := serial(t, s)
		if err := s.Replace(chain, key); err == nil || !strings.Contains(err.Error(), "Ed25519") ||
			serial(t, s) != before {
			t.Errorf("in place of a good one: %v", err)
		}
		time.Sleep(day + 10*time.Minute)
		synctest.Wait()
		if err := s.Ready(); err == nil || !strings.Contains(err.Error(), `issuer "between" expired`) || j.count("no browser accepts") != 2 {
			t.Errorf("once its issuer has expired: %v\n%s", err, j)
		}
	})
}

func TestReadiness(t *testing.T) {
	now := time.Now()
	j := new(journal)
	s := NewStore(name, func() time.Time { return now }, slog.New(slog.NewTextHandler(j, nil)))
	if err := s.Ready(); err == nil || !s.NotAfter().IsZero() {
		t.Errorf("without a certificate: %v, ends %v", err, s.NotAfter())
	}
	if _, err := s.GetCertificate(&tls.ClientHelloInfo{}); err == nil {
		t.Error("a handshake without a certificate")
	}
	s.noteProblem(fmt.Errorf("nobody issues one"))
	if err := s.Ready(); err == nil || strings.Contains(err.Error(), "nobody issues one") {
		t.Errorf("while none is issued anybody is told: %v", err)
	}
	if err := s.Replace(certificatetest.NewCA(t).Issue(t, name, nil)); err != nil {
		t.Fatal(err)
	}
	if err := s.Ready(); err != nil || s.Problem() != nil {
		t.Errorf("with a certificate: %v, %v", err, s.Problem())
	}
	now = s.NotAfter().Add(time.Second)
	if err := s.Ready(); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("after its end: %v", err)
	}
}

// TestReplacedUnderHandshakes: a thousand times, during continuous handshakes and one lasting
// connection.
func TestReplacedUnderHandshakes(t *testing.T) {
	t.Parallel()
	ca := certificatetest.NewCA(t)
	s, _ := newStore()
	if err := s.Replace(ca.Issue(t, name, nil)); err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: s.GetCertificate})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(conn, conn); conn.Close() }()
		}
	}()
	dial := func() (*tls.Conn, error) {
		return tls.Dial("tcp", listener.Addr().String(), &tls.Config{
			RootCAs: ca.Pool(), ServerName: name, CurvePreferences: []tls.CurveID{tls.X25519}, // the fastest
		})
	}
	stays, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	defer stays.Close()
	var handshakes atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	var coming sync.WaitGroup
	for range 2 {
		coming.Go(func() {
			for ctx.Err() == nil {
				conn, err := dial()
				if err != nil {
					t.Error(err)
					return
				}
				conn.Close()
				handshakes.Add(1)
			}
		})
	}
	for i := range 1000 {
		var serial *big.Int
		if err := s.Replace(ca.Issue(t, name, func(c *x509.Certificate) { serial = c.SerialNumber })); err != nil {
			t.Fatal(err)
		}
		conn, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		if got := conn.ConnectionState().PeerCertificates[0].SerialNumber; got.Cmp(serial) != 0 {
			t.Fatalf("replacement %d: certificate %v serves, want %v", i, got, serial)
		}
		conn.Close()
		if _, err := stays.Write([]byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(stays, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	coming.Wait()
	t.Logf("%d handshakes", handshakes.Load())
}
