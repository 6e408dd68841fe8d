// Package appliance is the complete daemon: it binds everything or nothing, serves, reloads and
// drains.
package appliance

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"praxisrelay/cmd/praxisrelay/logs"
	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/config"
	"praxisrelay/config/network/shares"
	"praxisrelay/relay"
	"praxisrelay/relay/certificate"
	"praxisrelay/relay/check"
	"praxisrelay/relay/credential"
	"praxisrelay/relay/synthetic"
	"praxisrelay/signal"
	"praxisrelay/signal/admin"
	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/code"
	"praxisrelay/signal/health"
	"praxisrelay/signal/journal"
	"praxisrelay/signal/registry"
	"praxisrelay/systemd"
)

// maxSideConnections limits the open connections of the admin API's and of the metrics' listener,
// each. A network gets at most a quarter. So these listeners take no descriptors away from clients,
// and nobody without a token can keep others out.
const maxSideConnections = 200

// limitSide applies the limit to one of these listeners.
func limitSide(l net.Listener) net.Listener {
	return shares.New(maxSideConnections, maxSideConnections/4).Listen(l)
}

// Appliance is all servers of the daemon. Only here do the relay and the signaling meet.
type Appliance struct {
	relay      *relay.Relay
	keys       *credential.Keyring
	pepper     *appointment.Pepper
	pepperFit  pepperFit
	pair       *certificate.Store
	acme       *certificate.ACME // nil: the certificate is in files
	signal     *signal.Server
	clients    http.Handler
	adminAPI   *admin.Server
	registry   registry.Registry
	journal    *journal.Journal
	admin      net.Listener
	api        net.Listener // nil: the admin API is only on the socket
	monitoring net.Listener // nil: there are no metrics
	synthetic  *synthetic.Caller
	sockets    *systemd.Sockets
	addresses  relay.Addresses
	url        string
	urls       []string     // of the ICE servers, as clients get them
	lifetime   atomic.Int64 // of credentials; a time.Duration
	drain      drain
	public     netip.Addr // which a NAT translates to this host; invalid if there is none
	version    string
	now        func() time.Time // the clock of appointments and credentials
	log        *logs.Log
	since      time.Time                        // the start of serving
	reloaded   atomic.Pointer[api.ReloadStatus] // nil before the first reload

	reloads *reloads
	handed  atomic.Pointer[map[string][]byte] // files of the last successful praxisrelay reload; nil if none
	health  health.Checks                     // complete before anything is served

	reloading sync.Mutex    // guards the fields below
	settings  config.Config // in effect
	secrets   secrets.Set   // in effect
}

// Options are the parts and settings of an appliance.
type Options struct {
	Config  config.Config
	Secrets secrets.Set
	Sockets *systemd.Sockets // from the service manager
	Version string
	Now     func() time.Time // the clock of appointments and credentials
	Log     *logs.Log
}

// Listen binds all configured addresses, or none.
func Listen(ctx context.Context, o Options) (_ *Appliance, err error) {
	c, s, sockets, log := o.Config, o.Secrets, o.Sockets, o.Log
	a := &Appliance{
		version:  o.Version,
		now:      o.Now,
		log:      log,
		sockets:  sockets,
		journal:  journal.New(time.Now, log.Shown),
		reloads:  newReloads(time.Now()),
		settings: c,
		secrets:  s,
	}
	if err := findPublicAddress(ctx, &c.Relay); err != nil {
		return nil, err
	}
	a.public = c.Relay.PublicAddress
	a.lifetime.Store(int64(c.Relay.CredentialLifetime))
	defer func() {
		if err != nil {
			a.close()
		}
	}()
	if a.keys, err = credential.NewKeyring(s.TURN...); err != nil {
		return nil, fmt.Errorf("relay.secret_files: %w", err)
	}
	if a.pepper, err = appointment.NewPepper(s.Peppers...); err != nil {
		return nil, fmt.Errorf("signal.pepper_file: %w", err)
	}
	a.pair = certificate.NewStore(c.Name, time.Now, log.Logger)
	options := relay.Options{
		Listen:  c.Listen,
		Relay:   c.Relay,
		Keys:    a.keys,
		TLS:     tlsConfig(a.pair),
		Now:     o.Now,
		Sockets: sockets,
		Observe: a.note,
	}
	if c.TLS.ACME.Directory == "" {
		if err = a.pair.Replace(s.Pair.Chain, s.Pair.Key); err != nil {
			return nil, fmt.Errorf("tls.certificate: %w", err)
		}
	} else {
		if a.acme, err = certificate.NewACME(a.pair, s.ACME); err != nil {
			return nil, err
		}
		options.Validation = a.acme.Validation
	}
	if a.relay, err = relay.Listen(options); err != nil {
		return nil, systemd.Remedy(err)
	}
	a.addresses = a.relay.Addresses()
	a.url = config.PageURL(c.Name, a.addresses.HTTPS.Port())
	a.urls = iceURLs(c.Name, a.addresses)
	if a.registry, err = registry.Open(c.Signal.Registry); err != nil {
		return nil, withRemedy(err, c.Signal.Registry)
	}
	fit, err := a.fit(a.pepper)
	if err == nil {
		err = pepperMistake(fit, c)
	}
	if err != nil {
		return nil, err
	}
	a.takeFit(fit)
	if a.admin, err = listenAdmin(c.Signal.AdminSocket); err != nil {
		return nil, err
	}
	if c.Signal.AdminListen != "" {
		listener, err := sockets.Listen("tcp", c.Signal.AdminListen)
		if err != nil {
			return nil, systemd.Remedy(fmt.Errorf("signal.admin_listen: %w", err))
		}
		a.api = tls.NewListener(limitSide(listener), tlsConfig(a.pair))
	}
	if a.monitoring, err = listenMetrics(sockets, c.Metrics.Listen); err != nil {
		return nil, fmt.Errorf("metrics.listen: %w", err)
	}
	if a.signal, err = signal.New(ctx, signal.Options{
		Name:        c.Name,
		URL:         a.url,
		Rounds:      code.Rounds,
		Ports:       turnPorts(a.addresses),
		Key:         func() []byte { return check.Fingerprint(a.pair.Leaf()) },
		Waiting:     c.Signal.Admission == config.ByDoctor,
		Registry:    a.registry,
		Pepper:      a.pepper,
		Relay:       a,
		Journal:     a.journal,
		Maintenance: a.maintenance,
		Now:         o.Now,
		Log:         log.Logger,
	}); err != nil {
		return nil, err
	}
	a.clients = a.clientSite(c)
	a.adminAPI = admin.New(admin.Options{
		Signaling:  a.signal,
		Registry:   a.registry,
		Pepper:     a.pepper,
		Operations: a.operations(),
		Status:     a.status,
		Now:        o.Now,
		Log:        log.Logger,
	})
	a.health = a.checks()
	if a.synthetic, err = a.syntheticCaller(c.Name); err != nil {
		return nil, err
	}
	a.synthetic.SetInterval(c.Metrics.SyntheticCalls)
	return a, nil
}

// URL is the address of the page.
func (a *Appliance) URL() string { return a.url }

// Addresses are the bound addresses that clients use.
func (a *Appliance) Addresses() relay.Addresses { return a.addresses }

// Serve serves until ctx is done or a part fails, and closes everything.
func (a *Appliance) Serve(ctx context.Context) error {
	defer a.close()
	a.since = time.Now()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failures := make(chan error, 4)
	go func() { failures <- a.relay.Serve(ctx); cancel() }()
	go func() { failures <- a.signal.Serve(ctx, a.sites()...); cancel() }()
	go func() { failures <- a.servePlainHTTP(ctx); cancel() }()
	go func() { failures <- a.serveMetrics(ctx); cancel() }()
	return errors.Join(<-failures, <-failures, <-failures, <-failures)
}

func (a *Appliance) close() {
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
