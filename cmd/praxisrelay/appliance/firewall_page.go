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

// renewPage is how old the page's view of the DNS may be, so that whoever asks for the
// page does not make the appliance ask as often.
const renewPage = 10 * time.Minute

// firewallPage serves what clients need of this appliance, as it listens now, and the key
// of the certificate that it shows now.
func firewallPage(c config.Config, bound relay.Addresses, now func() time.Time, leaf func() *x509.Certificate) http.Handler {
	p := &pagePlan{config: asBound(c, bound), resolver: net.DefaultResolver, now: now, leaf: leaf}
	return firewall.Handler(p.plan)
}

// pagePlan is the plan that the page shows.
type pagePlan struct {
	config   config.Config
	resolver probe.Resolver
	now      func() time.Time
	leaf     func() *x509.Certificate // nil: there is none yet

	mu    sync.Mutex // held while the name is looked up: others wait for the same answer
	shown firewall.Plan
	until time.Time
}

// plan is about the certificate of now, whatever was looked up before.
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
	// Whoever asks first may leave: the answer is for the others too. Without one the
	// page names no addresses.
	addresses, _ := probe.ClientAddresses(context.WithoutCancel(ctx), p.resolver, p.config.Name, p.config.Relay.PublicAddress)
	// It cannot fail, since every listener is bound to a port.
	p.shown, _ = firewall.New(p.config, firewall.Site{Addresses: addresses, AsOf: now})
	p.until = now.Add(renewPage)
	return p.shown
}

// asBound is the configuration with the addresses that are bound, whose ports the
// file may leave to the system.
func asBound(c config.Config, bound relay.Addresses) config.Config {
	text := func(list []netip.AddrPort) (texts []string) {
		for _, address := range list {
			texts = append(texts, address.String())
		}
		return texts
	}
	c.Listen.HTTPS = bound.HTTPS.String()
	c.Listen.TURNUDP, c.Listen.TURNTCP, c.Listen.TURNTLS = text(bound.UDP), text(bound.TCP), text(bound.TLS)
	// What is not for clients is not on the page.
	c.Listen.HTTP, c.Signal.AdminListen, c.Metrics.Listen = "", "", ""
	return c
}
