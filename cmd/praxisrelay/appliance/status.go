package appliance

import (
	"crypto/x509"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"time"

	"praxisrelay/relay/certificate"
	"praxisrelay/relay/check"
	"praxisrelay/signal/admin/api"
)

// status describes the program and the relay.
func (a *Appliance) status() api.Status {
	s := api.Status{
		Version:      a.version,
		Since:        a.since.UTC(),
		NotReady:     []string{},
		Warnings:     []string{},
		Limits:       []api.LimitUse{},
		Listeners:    a.listeners(),
		Synthetic:    []api.SyntheticCall{},
		Certificates: []api.CertificateStatus{},
		Reload:       a.reloaded.Load(),
		Problems:     []api.LoggedProblem{},
	}
	for _, check := range slices.Concat(a.health.Alive, a.health.Ready) {
		if err := check.Test(); err != nil {
			s.NotReady = append(s.NotReady, check.Name+": "+err.Error())
		}
	}
	for _, check := range a.health.Doubts {
		if err := check.Test(); err != nil {
			s.Warnings = append(s.Warnings, check.Name+": "+err.Error())
		}
	}
	s.Draining = a.draining()
	now := a.relay.Snapshot()
	s.Calls = now.Calls
	s.Allocations = api.AllocationCounts{UDP: now.UDP, TCP: now.TCP, TLS: now.TLS}
	for _, limit := range []api.LimitUse{
		{Name: "relay.max_allocations", Used: now.Allocations, Most: now.MaxAllocations},
		{Name: "listen.max_connections", Used: now.Connections, Most: now.MaxConnections},
		{Name: "listen.max_handshakes", Used: now.Handshakes, Most: now.MaxHandshakes},
		{Name: "relay.ports", Used: now.Ports, Most: now.MaxPorts},
	} {
		if limit.Most > 0 { // the paired relay uses no ports
			s.Limits = append(s.Limits, limit)
		}
	}
	if leaf := a.pair.Leaf(); leaf != nil {
		s.Certificates = append(s.Certificates, certificateStatus(leaf, a.pair.Findings()))
	}
	for _, call := range a.synthetic.Calls() {
		s.Synthetic = append(s.Synthetic, syntheticCall(call))
	}
	for _, problem := range a.log.Problems() {
		s.Problems = append(s.Problems, api.LoggedProblem{
			Level:   strings.ToLower(problem.Level.String()),
			Message: problem.Message,
			Details: problem.Details,
			Count:   problem.Count,
			First:   problem.First.UTC(),
			Last:    problem.Last.UTC(),
		})
	}
	return s
}

// noteReload keeps the result of a reload for the status.
func (a *Appliance) noteReload(err error) {
	last := &api.ReloadStatus{At: time.Now().UTC()}
	if err != nil {
		last.Error = err.Error()
	}
	a.reloaded.Store(last)
}

func (a *Appliance) listeners() (list []api.Listener) {
	add := func(name, transport, address string) {
		inherited := a.sockets.Inherited(transport, address)
		list = append(list, api.Listener{Name: name, Transport: transport, Address: address,
			Inherited: inherited})
	}
	each := func(name, transport string, addresses ...netip.AddrPort) {
		for _, address := range addresses {
			add(name, transport, address.String())
		}
	}
	each("listen.https", "tcp", a.addresses.HTTPS)
	if a.addresses.HTTP.IsValid() {
		each("listen.http", "tcp", a.addresses.HTTP)
	}
	each("listen.turn_udp", "udp", a.addresses.UDP...)
	each("listen.turn_tcp", "tcp", a.addresses.TCP...)
	each("listen.turn_tls", "tcp", a.addresses.TLS...)
	add("signal.admin_socket", "unix", a.admin.Addr().String())
	if a.api != nil {
		add("signal.admin_listen", "tcp", a.api.Addr().String())
	}
	if a.monitoring != nil {
		add("metrics.listen", "tcp", a.monitoring.Addr().String())
	}
	return list
}

func certificateStatus(leaf *x509.Certificate, found []certificate.Finding) api.CertificateStatus {
	names := append([]string{}, leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	issuer := leaf.Issuer.CommonName
	if issuer == "" {
		issuer = leaf.Issuer.String()
	}
	problems := []string{}
	for _, f := range found {
		if f.By != certificate.Strangers { // only this host may be affected
			problems = append(problems, f.Text)
		}
	}
	return api.CertificateStatus{
		Names: names, Issuer: issuer, Key: hex.EncodeToString(check.Fingerprint(leaf)),
		Begins: leaf.NotBefore.UTC(), Ends: leaf.NotAfter.UTC(), Problems: problems,
	}
}
