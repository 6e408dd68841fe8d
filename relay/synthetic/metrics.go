package synthetic

import (
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Labels: transport is udp, tcp or tls; port is one that clients are given; family is ipv4 or ipv6.
var (
	labels = []string{"transport", "port", "family"}

	success = prometheus.NewDesc("praxisrelay_synthetic_call_success",
		"1 if the appliance's last call to itself through its public name, on this way, arrived; "+
			"0 if not: praxisrelay status says why. Missing if metrics.synthetic_calls is 0, or while "+
			"draining refuses calls.",
		labels, nil)
	roundTrip = prometheus.NewDesc("praxisrelay_synthetic_call_round_trip_seconds",
		"The median time of its packets through the relay and back, in seconds; missing if it failed. "+
			"More than a few milliseconds mean that this host, or something in front of it, is slow.",
		labels, nil)
	packets = prometheus.NewDesc("praxisrelay_synthetic_call_packets_total",
		"Packets of these calls, by result. If these are lost, so are everybody's: check the line and "+
			"what is in front of this host.", append(labels, "result"), nil)
)

// Describe implements prometheus.Collector.
func (c *Caller) Describe(descs chan<- *prometheus.Desc) {
	descs <- success
	descs <- roundTrip
	descs <- packets
}

// Collect implements prometheus.Collector.
func (c *Caller) Collect(out chan<- prometheus.Metric) {
	for _, call := range c.Calls() {
		values := []string{
			string(call.Way.Transport), strconv.Itoa(int(call.Way.Port)),
			strings.ToLower(call.Family.String()),
		}
		arrived := 0.0
		if call.Reason == "" {
			arrived = 1
			out <- prometheus.MustNewConstMetric(roundTrip, prometheus.GaugeValue, call.RTT.Seconds(),
				values...)
		}
		out <- prometheus.MustNewConstMetric(success, prometheus.GaugeValue, arrived, values...)
		for result, count := range map[string]uint64{"received": call.Received, "lost": call.Sent - call.Received} {
			out <- prometheus.MustNewConstMetric(packets, prometheus.CounterValue, float64(count),
				append(values, result)...)
		}
	}
}
