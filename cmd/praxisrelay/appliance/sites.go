package appliance

import (
	"net/http"
	"time"

	"praxisrelay/config"
	"praxisrelay/signal"
	"praxisrelay/signal/front"
	"praxisrelay/signal/health"
)

// sites are what is served over HTTP to clients, to the commands and, where that is
// configured, to other programs.
func (a *Appliance) sites() []signal.Site {
	sites := []signal.Site{
		{Listener: a.relay.HTTP(), Handler: a.clients},
		{Listener: a.admin, Handler: a.adminAPI.Socket()},
	}
	if a.api != nil {
		sites = append(sites, signal.Site{Listener: a.api, Handler: a.adminAPI.Network()})
	}
	return sites
}

// clientSite is what clients are served: the signaling and the page, the health, and what
// their firewalls must let out.
func (a *Appliance) clientSite(c config.Config) http.Handler {
	mux := http.NewServeMux()
	a.signal.Routes(mux)
	asked := a.health.Handler()
	for _, pattern := range health.Patterns {
		mux.Handle(pattern, asked)
	}
	firewall := firewallPage(c, a.addresses, time.Now, a.pair.Leaf)
	mux.Handle("GET /firewall", firewall)
	mux.Handle("GET /firewall.css", firewall)
	return front.Secured(c.Name, mux)
}
