package appliance

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"praxisrelay/signal/front"
	"praxisrelay/signal/health"
	"praxisrelay/systemd"
)

// metrics returns all metrics of the appliance.
func (a *Appliance) metrics() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		a.relay.Collector(),
		a.signal.Collector(),
		a.adminAPI.Collector(),
		checksCollector{&a.health},
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "praxisrelay_certificate_expiry_timestamp_seconds",
			Help: "When the certificate in use expires, in Unix seconds; 0 while there is none. " +
				"It should be renewed weeks before: check the renewal, then run systemctl reload " +
				"praxisrelay.",
		}, a.certificateEnds),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "praxisrelay_certificate_not_before_timestamp_seconds",
			Help: "When that certificate became valid, in Unix seconds; 0 while there is none. " +
				"The alerts depend on its lifetime: a certificate valid for less than 90 days is " +
				"renewed later, so the warning comes later.",
		}, a.certificateBegins),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "praxisrelay_certificate_problems",
			Help: "The number of reasons why some or all clients refuse that certificate: " +
				"praxisrelay status lists them. If no browser accepts it, praxisrelay_check_ok of " +
				"certificate is 0 too.",
		}, a.certificateProblems),
		a.synthetic,
		buildInfo(a.version),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	r.MustRegister(a.reloads.collectors()...)
	return r
}

// certificateEnds is in Unix seconds; 0 without a certificate.
func (a *Appliance) certificateEnds() float64 {
	if ends := a.pair.NotAfter(); !ends.IsZero() {
		return float64(ends.Unix())
	}
	return 0
}

// certificateBegins is in Unix seconds; 0 without a certificate.
func (a *Appliance) certificateBegins() float64 {
	if leaf := a.pair.Leaf(); leaf != nil {
		return float64(leaf.NotBefore.Unix())
	}
	return 0
}

// certificateProblems is the number of problems that the status lists.
func (a *Appliance) certificateProblems() float64 {
	if leaf := a.pair.Leaf(); leaf != nil {
		return float64(len(certificateStatus(leaf, a.pair.Findings()).Problems))
	}
	return 0
}

// metricsServer serves the metrics, and the health for those who cannot reach HTTPS.
func (a *Appliance) metricsServer() *http.Server {
	mux := http.NewServeMux()
	hostname, _ := os.Hostname() // empty if it is not known
	served := promhttp.HandlerFor(a.metrics(), promhttp.HandlerOpts{MaxRequestsInFlight: 4})
	mux.Handle("GET /metrics", ownHosts(served, a.inEffect().Name, hostname))
	mux.HandleFunc("OPTIONS /{$}", health.Options)
	for _, pattern := range append(health.Patterns, "GET /") {
		mux.Handle(pattern, a.health.Handler())
	}
	return &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second, // against clients that send a header a day
		ReadTimeout:       5 * time.Second,
		WriteTimeout:      30 * time.Second, // three times Prometheus's time-out
		IdleTimeout:       5 * time.Minute,  // longer than the interval of rare scrapes
		// The server's own log would contain addresses.
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
}

// serveMetrics serves the metrics until ctx is done.
func (a *Appliance) serveMetrics(ctx context.Context) error {
	if a.monitoring == nil {
		<-ctx.Done()
		return nil
	}
	server := a.metricsServer()
	context.AfterFunc(ctx, func() { server.Close() })
	if err := front.Serve(server, a.monitoring,
		front.NewPending(maxSideConnections, func() {})); ctx.Err() == nil {
		return err
	}
	return nil
}

// listenMetrics opens the metrics' own listener, if one is configured.
func listenMetrics(sockets *systemd.Sockets, address string) (net.Listener, error) {
	if address == "" {
		return nil, nil
	}
	listener, err := sockets.Listen("tcp", address)
	if err != nil {
		return nil, systemd.Remedy(err)
	}
	return limitSide(listener), nil
}

var checkDesc = prometheus.NewDesc("praxisrelay_check_ok",
	"1 if a check of /readyz passes, 0 if it does not; /readyz says why. drain is deliberate, the "+
		"other checks need attention; a failed pepper check turns no client away.",
	[]string{"check"}, nil)

// checksCollector collects the result of each check of /readyz.
type checksCollector struct{ checks *health.Checks }

// Describe implements prometheus.Collector.
func (c checksCollector) Describe(descs chan<- *prometheus.Desc) { descs <- checkDesc }

// Collect implements prometheus.Collector.
func (c checksCollector) Collect(out chan<- prometheus.Metric) {
	for _, list := range [][]health.Check{c.checks.Alive, c.checks.Ready, c.checks.Doubts} {
		for _, check := range list {
			ok := 1.0
			if check.Test() != nil {
				ok = 0
			}
			out <- prometheus.MustNewConstMetric(checkDesc, prometheus.GaugeValue, ok, check.Name)
		}
	}
}

// reloads counts the results of reloading the configuration. It is safe for concurrent use.
type reloads struct {
	total      *prometheus.CounterVec // result: ok, failed
	successful prometheus.Gauge
	time       prometheus.Gauge
}

// newReloads starts with the configuration with which the process was started.
func newReloads(now time.Time) *reloads {
	r := &reloads{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "praxisrelay_config_reloads_total",
			Help: "Reloads of the configuration, by result: ok, or failed, which changes nothing.",
		}, []string{"result"}),
		successful: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "praxisrelay_config_last_reload_successful",
			Help: "1 if the last reload, or the start, accepted the configuration; 0 if it was " +
				"refused: praxisrelay config check says why.",
		}),
		time: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "praxisrelay_config_last_reload_success_timestamp_seconds",
			Help: "When the configuration was last accepted, in Unix seconds.",
		}),
	}
	r.total.WithLabelValues("ok")
	r.total.WithLabelValues("failed")
	r.successful.Set(1)
	r.time.Set(float64(now.Unix()))
	return r
}

// succeeded records that a configuration was accepted.
func (r *reloads) succeeded(now time.Time) {
	r.total.WithLabelValues("ok").Inc()
	r.successful.Set(1)
	r.time.Set(float64(now.Unix()))
}

// failed records that a configuration was refused.
func (r *reloads) failed() {
	r.total.WithLabelValues("failed").Inc()
	r.successful.Set(0)
}

func (r *reloads) collectors() []prometheus.Collector {
	return []prometheus.Collector{r.total, r.successful, r.time}
}

// buildInfo identifies the running program.
func buildInfo(version string) prometheus.Collector {
	revision := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				revision = setting.Value
			}
		}
	}
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "praxisrelay_build_info",
		Help: "Always 1; its labels say which build of praxisrelay runs. Instances that " +
			"differ were not all updated.",
		ConstLabels: prometheus.Labels{"version": version, "revision": revision,
			"goversion": runtime.Version()},
	}, func() float64 { return 1 })
}
