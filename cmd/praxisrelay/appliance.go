package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"

	"praxisrelay/cmd/praxisrelay/logs"
	"praxisrelay/config"
	"praxisrelay/relay"
	"praxisrelay/relay/certificate"
	"praxisrelay/relay/credential"
	"praxisrelay/signal"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/code"
	"praxisrelay/signal/health"
	"praxisrelay/signal/journal"
	"praxisrelay/signal/protocol"
	"praxisrelay/systemd"
)

// secrets are what the configuration names files for.
type secrets struct {
	turn    [][]byte
	peppers [][]byte
	pair    pemPair // not with ACME
	acme    certificate.ACMEOptions
}

// pemPair is a certificate's chain and its key.
type pemPair struct{ chain, key []byte }

// mostBeside is how many connections the admin API's listener and the metrics' have open
// at once, each. More wait, so that they take no descriptors from the clients'.
const mostBeside = 200

// appliance is everything that serves, wired: the one place where the relay and the
// signaling meet.
type appliance struct {
	relay      *relay.Relay
	keys       *credential.Keyring
	pepper     *appointment.Pepper
	pair       *certificate.Store
	acme       *certificate.ACME // nil: the certificate is in files
	signal     *signal.Server
	registry   appointment.Registry
	journal    *journal.Journal
	admin      net.Listener
	api        net.Listener // nil: the admin API is on the socket alone
	monitoring net.Listener // nil: there are no metrics
	sockets    *systemd.Sockets
	addresses  relay.Addresses
	url        string
	urls       []string // of the ICE servers
	lifetime   lifetime
	drain      drain
	log        *logs.Log
	since      time.Time                             // when it began to serve
	reloaded   atomic.Pointer[protocol.ReloadStatus] // nil: never

	reloads *reloads
	handed  atomic.Pointer[map[string][]byte] // by praxisrelay reload, the last that was taken; nil: never
	health  health.Checks                     // filled before anything is served

	reloading sync.Mutex    // guards what is below
	settings  config.Config // that are in effect
	secrets   secrets       // likewise
}

// listen binds everything that the configuration says, or nothing.
func listen(ctx context.Context, c config.Config, s secrets, sockets *systemd.Sockets, log *logs.Log) (_ *appliance, err error) {
	a := &appliance{
		log:      log,
		sockets:  sockets,
		journal:  journal.New(time.Now, log.Shown),
		reloads:  newReloads(time.Now()),
		settings: c,
		secrets:  s,
	}
	a.lifetime.set(c.Relay.CredentialLifetime)
	defer func() {
		if err != nil {
			a.close()
		}
	}()
	if a.keys, err = credential.NewKeyring(s.turn...); err != nil {
		return nil, fmt.Errorf("relay.secret_files: %w", err)
	}
	if a.pepper, err = appointment.NewPepper(s.peppers...); err != nil {
		return nil, fmt.Errorf("signal.pepper_file: %w", err)
	}
	a.pair = certificate.NewStore(c.Name, time.Now, log.Logger)
	options := relay.Options{
		Listen:  c.Listen,
		Relay:   c.Relay,
		Keys:    a.keys,
		TLS:     tlsConfig(a.pair),
		Now:     time.Now,
		Sockets: sockets,
		Observe: a.note,
	}
	if c.TLS.ACME.Directory == "" {
		if err = a.pair.Replace(s.pair.chain, s.pair.key); err != nil {
			return nil, fmt.Errorf("tls.certificate: %w", err)
		}
	} else {
		if a.acme, err = certificate.NewACME(a.pair, s.acme); err != nil {
			return nil, err
		}
		options.Validation = a.acme.Validation
	}
	if a.relay, err = relay.Listen(options); err != nil {
		return nil, remedy(err)
	}
	a.addresses = a.relay.Addresses()
	a.url = pageURL(c.Name, a.addresses.HTTPS.Port())
	a.urls = iceURLs(c.Name, a.addresses)
	if a.registry, err = appointment.Open(c.Signal.Registry); err != nil {
		return nil, err
	}
	if a.admin, err = listenAdmin(c.Signal.AdminSocket); err != nil {
		return nil, err
	}
	if c.Signal.AdminListen != "" {
		listener, err := sockets.Listen("tcp", c.Signal.AdminListen)
		if err != nil {
			return nil, remedy(fmt.Errorf("signal.admin_listen: %w", err))
		}
		a.api = tls.NewListener(netutil.LimitListener(listener, mostBeside), tlsConfig(a.pair))
	}
	if a.monitoring, err = listenMetrics(sockets, c.Metrics.Listen); err != nil {
		return nil, fmt.Errorf("metrics.listen: %w", err)
	}
	if a.signal, err = signal.New(ctx, signal.Options{
		Name:        c.Name,
		URL:         a.url,
		Rounds:      code.Rounds,
		MaxMessage:  c.Signal.MaxMessage,
		Ports:       turnPorts(a.addresses),
		Key:         func() []byte { return publicKey(a.pair.Leaf()) },
		Waiting:     c.Signal.Admission == config.ByDoctor,
		Registry:    a.registry,
		Pepper:      a.pepper,
		Relay:       a,
		Journal:     a.journal,
		Health:      a.health.Handler(),
		Firewall:    firewallPage(c, a.addresses, time.Now),
		Maintenance: a.maintenance,
		Operations:  a.operations(),
		Now:         time.Now,
		Status:      a.status,
		Log:         log.Logger,
	}); err != nil {
		return nil, err
	}
	a.health = a.checks()
	return a, nil
}

// serve serves until ctx is done or a part fails, and closes everything.
func (a *appliance) serve(ctx context.Context) error {
	defer a.close()
	a.since = time.Now()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failures := make(chan error, 4)
	go func() { failures <- a.relay.Serve(ctx); cancel() }()
	go func() { failures <- a.signal.Serve(ctx, a.relay.HTTP(), a.admin, a.api); cancel() }()
	go func() { failures <- a.servePlainHTTP(ctx); cancel() }()
	go func() { failures <- a.serveMetrics(ctx); cancel() }()
	return errors.Join(<-failures, <-failures, <-failures, <-failures)
}

func (a *appliance) close() {
	if a.relay != nil {
		a.relay.Close()
	}
	if a.admin != nil {
		a.admin.Close()
	}
	if a.api != nil {
		a.api.Close()
	}
	if a.monitoring != nil {
		a.monitoring.Close()
	}
	if a.registry != nil {
		a.registry.Close()
	}
}

// mint makes a seat's credential. It expires after those that were revoked, within the
// same second too, so that a seat's new holder is not taken for the former.
func (a *appliance) mint(appointment, seat string) (credential.Credential, error) {
	lifetime := a.lifetime.now()
	if seat == credential.Test {
		lifetime = min(lifetime, credential.TestLifetime)
	}
	expires := time.Now().Add(lifetime)
	if revoked := a.relay.Revoked(appointment, seat); !expires.Truncate(time.Second).After(revoked) {
		expires = revoked.Add(time.Second)
	}
	return a.keys.Mint(appointment, seat, expires)
}

// ICEServers is signaling's view of the relay.
func (a *appliance) ICEServers(appointment, seat string) ([]protocol.ICEServer, time.Time, error) {
	c, err := a.mint(appointment, seat)
	return []protocol.ICEServer{{URLs: a.urls, Username: c.Username, Credential: c.Password}}, c.Expires, err
}

// Revoke is signaling's view of the relay.
func (a *appliance) Revoke(appointment, seat string, revoked time.Time) {
	a.relay.Revoke(appointment, seat, revoked.Add(a.lifetime.longest()))
}

// lifetime is that of credentials, and the longest that any has had. The zero value is
// none.
type lifetime struct{ present, most atomic.Int64 }

func (l *lifetime) now() time.Duration     { return time.Duration(l.present.Load()) }
func (l *lifetime) longest() time.Duration { return time.Duration(l.most.Load()) }

// set is called by one at a time.
func (l *lifetime) set(d time.Duration) {
	l.most.Store(max(l.most.Load(), int64(d)))
	l.present.Store(int64(d))
}

// tlsConfig is BSI TR-02102-2's choice: TLS 1.3, and 1.2 with forward secrecy and
// AEAD alone. The key exchange is the library's, post-quantum hybrid first.
func tlsConfig(pair *certificate.Store) *tls.Config {
	return &tls.Config{
		GetCertificate: pair.GetCertificate,
		MinVersion:     tls.VersionTLS12,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
	}
}

func pageURL(name string, port uint16) string {
	if port == 443 {
		if ip, err := netip.ParseAddr(name); err == nil && ip.Is6() {
			name = "[" + name + "]"
		}
		return "https://" + name + "/"
	}
	return "https://" + hostPort(name, port) + "/"
}

// iceURLs are what a browser is given: one way of each kind, since it makes an
// allocation or two for every one of them, and UDP 443 beside where it is served:
// some firewalls let through nothing else, for HTTP/3.
func iceURLs(name string, a relay.Addresses) (urls []string) {
	for i, addr := range a.UDP {
		if i == 0 || addr.Port() == 443 {
			urls = append(urls, "turn:"+hostPort(name, addr.Port())+"?transport=udp")
		}
	}
	if len(a.TCP) > 0 {
		urls = append(urls, "turn:"+hostPort(name, a.TCP[0].Port())+"?transport=tcp")
	}
	return append(urls, "turns:"+hostPort(name, a.HTTPS.Port())+"?transport=tcp")
}

// turnPorts are where TURN is served, for those who check the ways to it.
func turnPorts(a relay.Addresses) protocol.Ports {
	ports := func(addrs ...netip.AddrPort) []uint16 {
		list := []uint16{}
		for _, addr := range addrs {
			if !slices.Contains(list, addr.Port()) {
				list = append(list, addr.Port())
			}
		}
		return list
	}
	return protocol.Ports{UDP: ports(a.UDP...), TCP: ports(a.TCP...), TLS: ports(append(slices.Clone(a.TLS), a.HTTPS)...)}
}

// publicKey is the SHA-256 of the public key that a certificate is for; nil: there is
// none yet.
func publicKey(leaf *x509.Certificate) []byte {
	if leaf == nil {
		return nil
	}
	sum := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	return sum[:]
}

func hostPort(name string, port uint16) string {
	return net.JoinHostPort(name, strconv.Itoa(int(port)))
}

// listenAdmin opens the admin socket for the daemon's own user, over one that a
// dead daemon left.
func listenAdmin(path string) (net.Listener, error) {
	if conn, err := net.Dial("unix", path); err == nil {
		conn.Close()
		return nil, fmt.Errorf("signal.admin_socket: another praxisrelay serves %s: stop that one first", path)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() != fs.ModeSocket {
		return nil, fmt.Errorf("signal.admin_socket: %s exists and is no socket: name another path, or move it away", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("signal.admin_socket: %w", err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("signal.admin_socket: %w: its folder must exist and be writable", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		listener.Close()
		return nil, fmt.Errorf("signal.admin_socket: %w", err)
	}
	return listener, nil
}
