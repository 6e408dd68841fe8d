package appliance

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"praxisrelay/config"
	"praxisrelay/config/firewall"
	"praxisrelay/relay"
	"praxisrelay/relay/check"
	"praxisrelay/relay/probe"
)

// renewPage is the maximum age of the page's DNS answers, so that requests for the page do not
// cause as many DNS queries.
const renewPage = 10 * time.Minute

// firewallPage serves what this appliance needs from firewalls, as it listens now, with the key of
// its present certificate.
func firewallPage(c config.Config, bound relay.Addresses,
	now func() time.Time, leaf func() *x509.Certificate) http.Handler {
	p := &pagePlan{config: asBound(c, bound), resolver: net.DefaultResolver, now: now, leaf: leaf}
	return firewall.Handler(p.plan)
}

// pagePlan is the plan that the page shows.
type pagePlan struct {
	config   config.Config
	resolver probe.Resolver
	now      func() time.Time
	leaf     func() *x509.Certificate // returns nil before the first certificate

	mu    sync.Mutex // held during a look-up, so that others wait for the same answer
	shown firewall.Plan
	until time.Time
}

// plan always contains the present certificate, however old the look-up is.
func (p *pagePlan) plan(ctx context.Context) firewall.Plan {
	plan := p.lookedUp(ctx)
	if leaf := p.leaf(); leaf != nil {
		plan.Key = firewall.Key{SHA256: check.Fingerprint(leaf), Ends: leaf.NotAfter}
	}
	return plan
}

func (p *pagePlan) lookedUp(ctx context.Context) firewall.Plan {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if now.Before(p.until) {
		return p.shown
	}
	// The first reader may leave, but the answer is for the others too. Without an answer the page
	// names no addresses.
	addresses, _ := probe.ClientAddresses(context.WithoutCancel(ctx), p.resolver, p.config.Name,
		p.config.Relay.PublicAddress)
	// This cannot fail, since every listener is bound to a port.
	p.shown, _ = firewall.New(p.config, firewall.Site{Addresses: addresses, AsOf: now})
	p.until = now.Add(renewPage)
	return p.shown
}

// asBound is the configuration with the bound addresses, since the file may leave ports to the
// system.
func asBound(c config.Config, bound relay.Addresses) config.Config {
	text := func(list []netip.AddrPort) (texts []string) {
		for _, address := range list {
			texts = append(texts, address.String())
		}
		return texts
	}
	c.Listen.HTTPS = bound.HTTPS.String()
	c.Listen.TURNUDP, c.Listen.TURNTCP, c.Listen.TURNTLS = text(bound.UDP), text(bound.TCP), text(bound.TLS)
	// The page leaves out what is not for clients.
	c.Listen.HTTP, c.Signal.AdminListen, c.Metrics.Listen = "", "", ""
	return c
}
