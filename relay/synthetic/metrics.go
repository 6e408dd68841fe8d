package synthetic

import (
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Labels: transport is udp, tcp or tls; port one that clients are given; family ipv4 or
// ipv6.
var (
	labels = []string{"transport", "port", "family"}

	success = prometheus.NewDesc("praxisrelay_synthetic_call_success",
		"1 when the last call that the appliance placed to itself through its public name, on this way, arrived; 0 when not: praxisrelay status says why. There is none where metrics.synthetic_calls is 0, or while calls are refused to drain.", labels, nil)
	roundTrip = prometheus.NewDesc("praxisrelay_synthetic_call_round_trip_seconds",
		"The median time of its packets through the relay and back, in seconds; none where it failed. More than a few milliseconds: what lies before this host is slow, or the host is.", labels, nil)
	packets = prometheus.NewDesc("praxisrelay_synthetic_call_packets_total",
		"Packets of these calls, by what became of them. Lost ones are lost to everybody: look at the line and what lies before this host.", append(labels, "result"), nil)
)

// Describe is of prometheus.Collector.
func (c *Caller) Describe(descs chan<- *prometheus.Desc) {
	descs <- success
	descs <- roundTrip
	descs <- packets
}

// Collect is of prometheus.Collector.
func (c *Caller) Collect(out chan<- prometheus.Metric) {
	for _, call := range c.Calls() {
		values := []string{string(call.Way.Transport), strconv.Itoa(int(call.Way.Port)), strings.ToLower(call.Family.String())}
		arrived := 0.0
		if call.Reason == "" {
			arrived = 1
			out <- prometheus.MustNewConstMetric(roundTrip, prometheus.GaugeValue, call.RTT.Seconds(), values...)
		}
		out <- prometheus.MustNewConstMetric(success, prometheus.GaugeValue, arrived, values...)
		for result, count := range map[string]uint64{"received": call.Received, "lost": call.Sent - call.Received} {
			out <- prometheus.MustNewConstMetric(packets, prometheus.CounterValue, float64(count), append(values, result)...)
		}
	}
}
