package relay

import (
	"strconv"

	"github.com/pion/stun/v3"
	"github.com/prometheus/client_golang/prometheus"

	"praxisrelay/relay/core"
)

// metrics exports the relay to Prometheus. Every series exists from the start, and their number
// does not depend on clients.
type metrics struct{ relay *Relay }

// Collector returns the relay's metrics.
func (r *Relay) Collector() prometheus.Collector { return metrics{r} }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("praxisrelay_relay_"+name, help, labels, nil)
}

var (
	// transport: udp, tcp, tls (see core.Transport).
	allocationsDesc = describe("allocations",
		"Live TURN allocations, by client transport. Near praxisrelay_relay_allocations_limit, "+
			"new calls are about to be refused: raise relay.max_allocations.", "transport")
	grantedDesc = describe("allocations_granted_total",
		"TURN allocations made, by client transport; those of tests are not counted. If most are "+
			"tcp and tls, networks block UDP: open UDP 3478.", "transport")
	maxAllocationsDesc = describe("allocations_limit",
		"The maximum of live allocations, relay.max_allocations.")

	// transport: as above, and relayed for peers of the open relay. direction: received or sent.
	bytesDesc = describe("media_bytes_total",
		"Bytes of relayed media, including TURN headers but not those of IP, UDP, TCP and TLS. "+
			"Near the line's speed, or relay.total_rate, pictures get worse: get a faster line.",
		"transport", "direction")
	packetsDesc = describe("media_packets_total",
		"Packets of relayed media. Sent packets may still be lost later, see queue and unsent of "+
			"praxisrelay_relay_dropped_packets_total.", "transport", "direction")

	// reason: core.Drop, or queue, request_queue, unsent.
	droppedDesc = describe("dropped_packets_total",
		"Packets that were not relayed. no_route grows a little when calls begin and end; *_rate "+
			"means that a limit shapes media; queue, that a client's TCP is too slow; request_queue "+
			"and unsent, that this host is.", "reason")

	// result: core.Authentication.
	authenticationsDesc = describe("authentications_total",
		"TURN requests, by the result of checking their credential. missing is every client's "+
			"first request, stale_nonce one an hour; many wrong_password and unknown_user are "+
			"guesses, or TURN secrets that differ between servers.", "result")

	// method: binding, send, allocate, refresh, create_permission, channel_bind.
	requestsDesc = describe("requests_total",
		"STUN and TURN messages handled. Many binding without the others mean that somebody uses "+
			"this server for STUN only.", "method")
	// code: success, or the error code (RFC 8656, section 19).
	answersDesc = describe("answers_total",
		"Answers to STUN and TURN requests. 401 is every client's first; 486 and 508 mean that a "+
			"limit was hit, see praxisrelay_relay_limit_hits_total; 403, that a client asked for a "+
			"forbidden peer.", "code")

	// limit: core.Limit, or a limit of listen.
	limitHitsDesc = describe("limit_hits_total",
		"Refusals, by the limit that was reached, named as in the configuration. If it refuses "+
			"legitimate clients, raise that limit.", "limit")

	connectionsDesc = describe("connections",
		"Open TCP and TLS connections, including HTTPS. Near praxisrelay_relay_connections_limit, "+
			"new ones are about to be refused: raise listen.max_connections.")
	maxConnectionsDesc = describe("connections_limit",
		"The maximum of open connections, listen.max_connections.")
	handshakingDesc = describe("handshakes",
		"TLS handshakes in progress. If some hundreds stay, somebody opens connections and stays "+
			"silent.")
	// result: ok, failed.
	handshakesDesc = describe("handshakes_total",
		"Finished TLS handshakes. Scanners fail many; if ok stands still while clients complain, "+
			"look at the certificate.", "result")

	// reason: see ProxyRefusals.
	proxyRefusalsDesc = describe("proxy_headers_refused_total",
		"Connections cut for their PROXY header: invalid ones had no header of version 1 or 2 "+
			"although listen.proxy_protocol_from names their address, untrusted ones had one although "+
			"it does not. Correct the proxy, or that key.", "reason")

	// state: free, used. Both are zero in the paired relay.
	portsDesc = describe("ports",
		"UDP ports for relayed addresses of the open relay, for the address family with fewer "+
			"free. When free ones run out, calls fail: widen relay.ports and the firewall's rule.", "state")
)

// Describe implements prometheus.Collector.
func (m metrics) Describe(descs chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, descs) }

// Collect implements prometheus.Collector.
func (m metrics) Collect(out chan<- prometheus.Metric) {
	r := m.relay
	now := r.Snapshot()
	r.mu.Lock()
	stats := r.core.Stats()
	r.mu.Unlock()
	count := func(desc *prometheus.Desc, value uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(value), labels...)
	}
	gauge := func(desc *prometheus.Desc, value int, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(value), labels...)
	}

	relayed := r.traffic.total()
	for t := range transports {
		transport := t.String()
		if t != core.Relayed {
			gauge(allocationsDesc, stats.Live[t], transport)
			count(grantedDesc, stats.Granted[t], transport)
		}
		for direction, f := range map[string]flow{"received": relayed.received[t], "sent": relayed.sent[t]} {
			count(bytesDesc, f.bytes, transport, direction)
			count(packetsDesc, f.packets, transport, direction)
		}
	}
	gauge(maxAllocationsDesc, now.MaxAllocations)

	for why, n := range stats.Drops {
		count(droppedDesc, n, core.Drop(why).String())
	}
	count(droppedDesc, r.events.queueFull.Load(), "queue")
	count(droppedDesc, r.events.laneFull.Load(), "request_queue")
	count(droppedDesc, r.events.unsent.Load(), "unsent")

	for result, n := range stats.Authentications {
		count(authenticationsDesc, n, core.Authentication(result).String())
	}
	for method, n := range stats.Requests {
		count(requestsDesc, n, methodNames[method])
	}
	for code, n := range stats.Answers {
		name := strconv.Itoa(int(code))
		if code == 0 {
			name = "success"
		}
		count(answersDesc, n, name)
	}

	refused, busy := r.open.Refused(), r.handshakes.Refused()
	for limit, n := range stats.Limits {
		count(limitHitsDesc, n, core.Limit(limit).String())
	}
	count(limitHitsDesc, refused.All, "max_connections")
	count(limitHitsDesc, refused.Network, "max_connections_per_prefix")
	count(limitHitsDesc, busy.All+busy.Network, "max_handshakes")

	gauge(connectionsDesc, now.Connections)
	gauge(maxConnectionsDesc, now.MaxConnections)
	gauge(handshakingDesc, now.Handshakes)
	count(handshakesDesc, r.events.handshakes.Load(), "ok")
	count(handshakesDesc, r.events.failedHandshakes.Load(), "failed")

	for _, refused := range r.ProxyRefusals() {
		count(proxyRefusalsDesc, refused.Times, refused.Reason)
	}

	gauge(portsDesc, now.MaxPorts-now.Ports, "free")
	gauge(portsDesc, now.Ports, "used")
}

var methodNames = map[stun.Method]string{
	stun.MethodBinding:          "binding",
	stun.MethodSend:             "send",
	stun.MethodAllocate:         "allocate",
	stun.MethodRefresh:          "refresh",
	stun.MethodCreatePermission: "create_permission",
	stun.MethodChannelBind:      "channel_bind",
}
