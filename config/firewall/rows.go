package firewall

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"praxisrelay/config"
)

// How long a firewall must remember silent connections. Clients send something at least every 25
// seconds, which is also the duration of a long poll.
const (
	idleUDP = 30 * time.Second
	idleTCP = 60 * time.Second
)

// New returns the plan of a valid configuration. A port that changes with every start is an error:
// no firewall rule can name it.
func New(c config.Config, site Site) (Plan, error) {
	b := builder{config: c, site: site}
	p := Plan{
		Name: c.Name, Addresses: site.Addresses, Key: site.Key, AsOf: site.AsOf,
		open: c.Relay.Peers == config.Open,
		nat:  c.Relay.PublicAddress.IsValid() || c.Relay.PublicAddressFrom != "",
		acme: c.TLS.ACME.Directory != "",
	}
	if addr, err := netip.ParseAddr(c.Name); err == nil {
		p.Addresses = []netip.Addr{addr}
	}
	if len(p.Addresses) == 0 && c.Relay.PublicAddress.IsValid() {
		p.Addresses = []netip.Addr{c.Relay.PublicAddress}
	}
	b.plan = &p
	services, err := b.services()
	if err != nil {
		return Plan{}, err
	}
	for _, s := range services {
		b.client(s)
	}
	for _, s := range services {
		b.ingress("in-"+s.id, s, Endpoint{Party: Anyone}, true)
	}
	if err := b.administration(); err != nil {
		return Plan{}, err
	}
	b.egress(services)
	return p, nil
}

// builder makes the rows of a plan.
type builder struct {
	config config.Config
	site   Site
	plan   *Plan
}

// service is one port, served on one or more addresses.
type service struct {
	id       string
	protocol string
	port     uint16
	on       []netip.Addr // empty: every address of the host
	need     Need
	tls      bool
	purpose  text
}

// services returns the services that clients use.
func (b *builder) services() ([]service, error) {
	l := b.config.Listen
	https, err := listener("listen.https", l.HTTPS)
	if err == nil {
		err = https.numbered("listen.https")
	}
	if err != nil {
		return nil, err
	}
	https.id, https.protocol, https.tls = "https", "tcp", true
	https.need, https.purpose = Required, texts.PurposeHTTPS
	all := []service{https}
	for _, list := range []struct {
		key, id, protocol string
		addresses         []string
		need              Need
		tls               bool
		purpose           text
	}{
		{"listen.turn_udp", "turn-udp", "udp", l.TURNUDP, Recommended, false, texts.PurposeUDP},
		{"listen.turn_tcp", "turn-tcp", "tcp", l.TURNTCP, Fallback, false, texts.PurposeTCP},
		{"listen.turn_tls", "turn-tls", "tcp", l.TURNTLS, Optional, true, texts.PurposeOther},
	} {
		var found []service
		for i, address := range list.addresses {
			key := fmt.Sprintf("%s[%d]", list.key, i)
			s, err := listener(key, address)
			if err == nil {
				err = s.numbered(key)
			}
			if err != nil {
				return nil, err
			}
			s.id, s.protocol, s.tls = fmt.Sprintf("%s-%d", list.id, s.port), list.protocol, list.tls
			s.need, s.purpose = list.need, list.purpose
			// The page gets the first of each kind, and UDP 443.
			if i > 0 && s.port != found[0].port {
				s.need, s.purpose = Optional, texts.PurposeOther
				if s.protocol == "udp" && s.port == 443 {
					s.need, s.purpose = Fallback, texts.PurposeUDP443
				}
			}
			same := func(other service) bool { return other.port == s.port }
			if j := slices.IndexFunc(found, same); j < 0 {
				found = append(found, s)
			} else if len(s.on) == 0 || len(found[j].on) == 0 {
				found[j].on = nil
			} else {
				found[j].on = append(found[j].on, s.on...)
			}
		}
		all = append(all, found...)
	}
	return all, nil
}

// listener parses a listen address.
func listener(key, address string) (s service, err error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return s, fmt.Errorf("%s: %w", key, err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return s, fmt.Errorf("%s: %q has no port: write host:port", key, address)
	}
	s.port = uint16(n)
	// Unspecified addresses are all of the host, of both families.
	if addr, err := netip.ParseAddr(host); err == nil && !addr.IsUnspecified() {
		s.on = []netip.Addr{addr.Unmap().WithZone("")}
	}
	return s, nil
}

// numbered rejects port 0, for which the system chooses a port.
func (s service) numbered(key string) error {
	if s.port == 0 {
		return fmt.Errorf("%s: port 0 changes with every start, so no firewall rule can name it: "+
			"give it a number", key)
	}
	return nil
}

func (b *builder) add(r Row) { b.plan.Rows = append(b.plan.Rows, r) }

func (s service) row(t Table, id string) Row {
	idle := idleTCP
	if s.protocol == "udp" {
		idle = idleUDP
	}
	return Row{
		ID: id, Table: t, Need: s.need, Protocol: s.protocol,
		Ports: config.Ports{First: s.port, Last: s.port},
		TLS:   s.tls, Exempt: s.tls, Idle: idle, purpose: s.purpose,
	}
}

// client adds what clients need to reach a service.
func (b *builder) client(s service) {
	r := s.row(ClientEgress, "client-"+s.id)
	r.Source = Endpoint{Party: Clients}
	r.Destination = Endpoint{Party: Appliance, Name: b.plan.Name, Addresses: b.reachable(s)}
	b.add(r)
}

// reachable returns the name's addresses at which clients can reach a service.
func (b *builder) reachable(s service) (list []netip.Addr) {
	if b.plan.nat || len(s.on) == 0 {
		return b.plan.Addresses
	}
	for _, addr := range b.plan.Addresses {
		if slices.ContainsFunc(s.on, func(on netip.Addr) bool { return on.Is4() == addr.Is4() }) {
			list = append(list, addr)
		}
	}
	return list
}

// ingress adds what the appliance must receive. If public, a NAT forwards it.
func (b *builder) ingress(id string, s service, source Endpoint, public bool) {
	r := s.row(ApplianceIngress, id)
	r.Source, r.Destination = source, Endpoint{Party: Appliance, Addresses: s.on}
	if public {
		r.Forwarded = b.forwarded()
	}
	b.add(r)
}

// forwarded returns the public addresses that a NAT translates.
func (b *builder) forwarded() []netip.Addr {
	switch {
	case b.config.Relay.PublicAddress.IsValid():
		return []netip.Addr{b.config.Relay.PublicAddress}
	case b.plan.nat:
		return slices.DeleteFunc(slices.Clone(b.plan.Addresses), netip.Addr.Is6)
	}
	return nil
}

// administration adds what comes in besides clients.
func (b *builder) administration() error {
	c := b.config
	if b.plan.open {
		r := service{protocol: "udp", need: Required, purpose: texts.PurposeRelayed}.row(ApplianceIngress, "in-relayed")
		r.Ports = c.Relay.Ports
		r.Source = Endpoint{Party: Peers}
		r.Destination = Endpoint{Party: Appliance, Addresses: c.Relay.Addresses}
		r.Forwarded = b.forwarded()
		b.add(r)
	}
	management := Endpoint{Party: Management, Networks: b.site.Management}
	for _, l := range []struct {
		key, id, address string
		need             Need
		source           Endpoint
		public, tls      bool
		purpose          text
	}{
		{"listen.http", "in-http", c.Listen.HTTP, Recommended, Endpoint{Party: Anyone}, true, false, texts.PurposeHTTP},
		{"signal.admin_listen", "in-admin", c.Signal.AdminListen, Optional, management, false, true, texts.PurposeAdmin},
		{"metrics.listen", "in-metrics", c.Metrics.Listen, Optional, management, false, false, texts.PurposeMetrics},
		{"", "in-ssh", ":22", Optional, management, false, false, texts.PurposeSSH},
	} {
		if l.address == "" {
			continue
		}
		s, err := listener(l.key, l.address)
		if err != nil {
			return err
		}
		if len(s.on) > 0 && s.on[0].IsLoopback() {
			continue
		}
		if err := s.numbered(l.key); err != nil {
			return err
		}
		s.protocol, s.need, s.tls, s.purpose = "tcp", l.need, l.tls, l.purpose
		if l.id == "in-http" && b.plan.acme {
			s.purpose = texts.PurposeHTTPACME
			if b.plan.first("in-https") != "443/TCP" {
				s.need = Required // the authority has no other way
			}
		}
		b.ingress(l.id, s, l.source, l.public)
	}
	return nil
}

// egress adds what the appliance sends out on its own.
func (b *builder) egress(services []service) {
	c := b.config
	names := b.plan.acme || isName(c.Relay.PublicAddressFrom) // there are names to look up
	need := map[bool]Need{true: Required, false: Recommended}[names]
	one := func(id, protocol string, port uint16, need Need, to Endpoint, purpose text) {
		r := service{protocol: protocol, port: port, need: need, purpose: purpose}.row(ApplianceEgress, id)
		r.Source, r.Destination, r.Idle = Endpoint{Party: Appliance}, to, 0
		r.TLS = to.Party == Authority
		r.Exempt = r.TLS
		b.add(r)
	}
	one("out-dns-udp", "udp", 53, need, Endpoint{Party: Resolvers}, texts.PurposeDNS)
	one("out-dns-tcp", "tcp", 53, need, Endpoint{Party: Resolvers}, texts.PurposeDNSTCP)
	one("out-ntp", "udp", 123, Required, Endpoint{Party: Clocks}, texts.PurposeNTP)
	if directory, err := url.Parse(c.TLS.ACME.Directory); err == nil && b.plan.acme {
		port, err := strconv.ParseUint(directory.Port(), 10, 16)
		if err != nil {
			port = 443
		}
		one("out-acme", "tcp", uint16(port), Required, named(Authority, directory.Hostname()),
			texts.PurposeACME)
	}
	if host, port, err := net.SplitHostPort(c.Relay.PublicAddressFrom); err == nil {
		n, err := net.LookupPort("udp", port) // a number or a service name
		if err == nil {
			one("out-stun", "udp", uint16(n), Required, named(STUNServer, host), texts.PurposeSTUN)
		}
	}
	for _, s := range services {
		if c.Metrics.SyntheticCalls > 0 && s.need != Optional { // it calls the services that the page gets
			s.need, s.purpose = Optional, texts.PurposeSelf
			r := s.row(ApplianceEgress, "out-self-"+s.id)
			r.Source, r.Destination = Endpoint{Party: Appliance}, Endpoint{Party: Appliance,
				Name: b.plan.Name, Addresses: b.reachable(s)}
			b.add(r)
		}
	}
	if b.plan.open {
		r := service{protocol: "udp", need: Required, purpose: texts.PurposeRelayedOut}.row(ApplianceEgress, "out-relayed")
		r.SourcePorts, r.Ports = c.Relay.Ports, config.Ports{First: 1024, Last: 65535}
		r.Source = Endpoint{Party: Appliance, Addresses: c.Relay.Addresses}
		r.Destination = Endpoint{Party: Peers}
		b.add(r)
	}
}

func named(party Party, host string) Endpoint {
	e := Endpoint{Party: party, Name: host}
	if addr, err := netip.ParseAddr(host); err == nil {
		e.Addresses = []netip.Addr{addr.Unmap().WithZone("")}
	}
	return e
}

func isName(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	_, err = netip.ParseAddr(host)
	return err != nil
}
