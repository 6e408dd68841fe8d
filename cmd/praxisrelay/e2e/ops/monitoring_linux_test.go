package ops

import (
	"context"
	"crypto/x509"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pion/stun/v3"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/relay/core"
	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/code"
	"praxisrelay/signal/protocol"
	"praxisrelay/signal/seal"
)

// watched is an appliance that Prometheus scrapes.
type watched struct {
	*apptest.Served
	t        *testing.T
	file     string
	instance string
	where    apptest.Listening
}

// startWatched runs an appliance with a certificate of this lifetime, and with changes to its
// configuration file.
func startWatched(t *testing.T, lasts time.Duration, changes ...string) *watched {
	t.Helper()
	file, folder := apptest.WriteConfig(t)
	apptest.Edit(t, file, changes...)
	made := apptest.SelfSigned(t, apptest.Loopback, func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().AddDate(0, 0, -90), time.Now().Add(lasts)
	})
	for name, text := range map[string]string{"cert.pem": made.Certificate, "key.pem": made.Key} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w := &watched{Served: apptest.NewServed(folder), t: t, file: file}
	w.run()
	w.instance = strings.TrimPrefix(w.Monitoring, "http://")
	// The same address, so that Prometheus finds it again after a restart.
	apptest.Edit(t, file, "metrics: {listen: 127.0.0.1:0", "metrics: {listen: '"+w.instance+"'")
	return w
}

func (w *watched) run() {
	w.t.Helper()
	w.Daemon = apptest.Start(w.t, apptest.Program("serve", "--config", w.file), true, func(line string) bool {
		return w.Serving(line) && w.where.Read(line)
	})
}

func (w *watched) restart() {
	w.t.Helper()
	w.Stop(w.t)
	w.run()
}

func (w *watched) create() adminclient.Created {
	w.t.Helper()
	return w.Appoint(w.t, time.Now(), time.Now().Add(time.Hour))
}

// call makes a call as real clients do: two sessions, and media both ways over each TURN transport.
// It returns one side's connection and the other side's address.
func (w *watched) call() (from net.PacketConn, to net.Addr) {
	w.t.Helper()
	_, servers := w.Join(w.t, w.create().Seats)
	for _, transport := range []string{"tls", "tcp", "udp"} {
		var conns []net.PacketConn
		for _, ice := range servers {
			c, _ := apptest.TURNClient(w.t, ice, transport)
			conn, err := c.Allocate()
			if err != nil {
				w.t.Fatal(err)
			}
			conns = append(conns, conn)
		}
		// Each side permits the other with its first packet, which may be too early for the other.
		heard := make(chan error, len(conns))
		stop, done := context.WithCancel(w.t.Context())
		for i, conn := range conns {
			go func() {
				_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
				_, _, err := conn.ReadFrom(make([]byte, 2000))
				heard <- err
			}()
			go func() {
				for tick := time.NewTicker(20 * time.Millisecond); ; {
					_, _ = conn.WriteTo(make([]byte, 500), conns[1-i].LocalAddr())
					select {
					case <-tick.C:
					case <-stop.Done():
						tick.Stop()
						return
					}
				}
			}()
		}
		for range conns {
			if err := <-heard; err != nil {
				w.t.Fatalf("over %s: %v", transport, err)
			}
		}
		done()
		from, to = conns[0], conns[1].LocalAddr()
	}
	return from, to
}

// allocate makes an allocation over TCP in a new appointment.
func (w *watched) allocate(appointment string) (net.Conn, error) {
	w.t.Helper()
	c := apptest.DoctorCredential(w.t, filepath.Dir(w.file), appointment)
	turn, stream := apptest.TURNClient(w.t, protocol.ICEServer{
		URLs: []string{"turn:" + w.where.TCP[0] + "?transport=tcp"}, Username: c.Username,
		Credential: c.Password,
	}, "tcp")
	_, err := turn.Allocate()
	return stream, err
}

// TestPrometheus has a real Prometheus scrape appliances under real load. Every query of the
// dashboard has data, and every alert is silent until its cause exists, and then fires.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	disk := apptest.SmallDisk(t, "192k")
	const day = 24 * time.Hour
	busy := startWatched(t, 14*day, "relay: {", "relay: {allocation_rate: 100000, ")
	small := startWatched(t, time.Hour, "relay: {",
		"relay: {peers: open, addresses: [127.0.0.1], ports: 24680-24683, max_per_seat: 4, max_allocations: 4, ")
	// a test's folders are siblings
	full := startWatched(t, 3*day, "/registry.db", "/../"+filepath.Base(disk)+"/registry.db")
	called := startWatched(t, 60*day, "relay: {", "relay: {max_allocations: 9, total_rate: 1000000, ",
		"metrics: {listen: 127.0.0.1:0", "metrics: {listen: 127.0.0.1:0, synthetic_calls: 10s")
	p := startPrometheus(t, busy.instance, small.instance, full.instance, called.instance)
	for _, w := range []*watched{busy, small, full, called} {
		p.scraped(w.instance)
	}

	sender, receiver := busy.call()
	p.until("the slowest of all transports and directions relays", func() bool {
		got := p.query(`min(rate(praxisrelay_relay_media_bytes_total{transport!="relayed"}[1m]) and on (instance) praxisrelay_signal_consultations > 0)`)
		return len(got) == 1 && got[0] > 0
	})
	for panel, query := range dashboardQueries(t) {
		p.until(fmt.Sprintf("%s has data: %s", panel, query), func() bool { return len(p.query(query)) > 0 })
	}

	p.until("calls through the name arrive", func() bool {
		return slices.Equal(p.query("praxisrelay_synthetic_call_success"), []float64{1, 1, 1})
	})
	fired := map[string]bool{}
	for w, severity := range map[*watched]string{busy: "info", full: "warning", small: "critical"} {
		want := map[string]bool{alertName("PraxisrelayCertificateEnds", severity): true}
		p.until(fmt.Sprintf("before anything happened %v fire", want), func() bool {
			return maps.Equal(p.firing(w.instance), want)
		})
		maps.Copy(fired, want)
	}
	// cause does something repeatedly until alerts fire that did not fire before.
	cause := func(w *watched, do func(), alerts ...string) {
		t.Helper()
		for _, alert := range alerts {
			if p.firing(w.instance)[alert] {
				t.Errorf("%s fires without its cause", alert)
			}
		}
		for _, alert := range alerts {
			p.until(alert, func() bool { do(); return p.firing(w.instance)[alert] })
			fired[alert] = true
		}
	}

	cause(busy, func() {
		for range 500 {
			_, _ = sender.WriteTo(make([]byte, 1000), receiver)
		}
	}, "PraxisrelayPacketsDropped warning")
	cause(busy, sync.OnceFunc(func() {
		for i := range 40 { // from enough networks that none is limited
			if session, err := busy.DialerFrom(t, i).JoinWithKeys(t.Context(),
				code.Keys{JoinToken: [32]byte{byte(i)}}); err == nil {
				session.Close()
				t.Error("a wrong code was accepted")
			}
		}
	}), "PraxisrelayGuessedCodes warning")
	cause(busy, sync.OnceFunc(func() { busy.showWrongTokens(8) }), "PraxisrelayWrongTokens warning")
	cause(busy, sync.OnceFunc(func() { busy.ask(60, true) }), "PraxisrelayWrongCredentials warning")
	cause(busy, func() { busy.ask(500, false) }, "PraxisrelayFlooded warning")
	cause(busy, sync.OnceFunc(func() {
		busy.reload("relay: {", "relay: {no_such_key: 1, ")
	}), "PraxisrelayReloadFailed warning")
	busy.reload("no_such_key: 1, ", "")
	p.until("the corrected configuration is taken", func() bool {
		return !p.firing(busy.instance)["PraxisrelayReloadFailed warning"]
	})

	cause(busy, sync.OnceFunc(busy.losePepper), "PraxisrelayCodesUnknown warning")

	cause(small, sync.OnceFunc(func() {
		for i := range 12 {
			stream, err := small.allocate(fmt.Sprint("one", i))
			if err != nil {
				t.Fatal(err)
			}
			stream.Close()
			p.until("the allocation ends", func() bool {
				return strings.Contains(small.Scrape(t), `praxisrelay_relay_allocations{transport="tcp"} 0`)
			})
		}
	}), "PraxisrelayNoUDP info")
	cause(small, sync.OnceFunc(func() {
		for i := range 4 {
			if _, err := small.allocate(fmt.Sprint("all", i)); err != nil {
				t.Fatal(err)
			}
		}
	}), "PraxisrelayNotReady critical", "PraxisrelayNearlyFull warning", "PraxisrelayPortsRunOut warning")
	if status, body := small.Get(t, "/readyz"); status != http.StatusServiceUnavailable ||
		body != "capacity: relay.max_allocations is reached: wait until calls end, or raise it\n" {
		t.Errorf("%d %s", status, body)
	}
	cause(small, sync.OnceFunc(func() {
		if _, err := small.allocate("more"); err == nil || !strings.Contains(err.Error(), "508") {
			t.Errorf("one allocation more: %v, want 508", err)
		}
	}), "PraxisrelayLimitHit warning")

	cause(full, sync.OnceFunc(full.fill), "PraxisrelayFaults critical", "PraxisrelayNotReady critical")

	// Each of the three synthetic calls needs room for one allocation. What they hold for the
	// moment is taken later.
	sender, receiver = called.call()
	held := 6
	take := func(count int) {
		for held < count {
			if _, err := called.allocate(fmt.Sprint("last", held)); err != nil {
				return
			}
			held++
		}
	}
	cause(called, func() { take(7) }, "PraxisrelayCannotBeCalled warning")
	// It may fire before its cause, because a busy machine also makes a poor line.
	flooding, stop := context.WithCancel(t.Context())
	var flood sync.WaitGroup
	flood.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for flooding.Err() == nil {
			for range 100 { // as small as sound; in total five times the rate that all may send
				_, _ = sender.WriteTo(make([]byte, 250), receiver)
			}
			<-tick.C
		}
	})
	p.until("PraxisrelayPoorLine", func() bool {
		return p.firing(called.instance)["PraxisrelayPoorLine warning"]
	})
	stop()
	flood.Wait()
	fired["PraxisrelayPoorLine warning"] = true
	cause(called, func() { take(9) }, "PraxisrelayCannotBeCalled critical")

	cause(busy, sync.OnceFunc(func() {
		for range 3 {
			busy.restart()
			p.scraped(busy.instance)
		}
	}), "PraxisrelayRestarts warning")
	p.until("the restarts are forgotten", func() bool {
		return !p.firing(busy.instance)["PraxisrelayDown critical"]
	})
	cause(busy, sync.OnceFunc(func() { busy.Stop(t) }), "PraxisrelayDown critical")

	for _, rule := range alertRules(readYAML(t, monitoringFile("alerts.yaml"))) {
		if name := alertName(rule["alert"], rule["labels"].(map[string]any)["severity"]); !fired[name] {
			t.Errorf("nothing has made %s fire", name)
		}
	}
}

// reload edits the configuration file and reloads the appliance.
func (w *watched) reload(changes ...string) {
	w.t.Helper()
	apptest.Edit(w.t, w.file, changes...)
	if err := w.Process.Signal(syscall.SIGHUP); err != nil {
		w.t.Fatal(err)
	}
}

// losePepper replaces the pepper and removes the old one too early.
func (w *watched) losePepper() {
	w.t.Helper()
	file := filepath.Join(filepath.Dir(w.file), "pepper.secret")
	former, err := os.ReadFile(file)
	if err != nil {
		w.t.Fatal(err)
	}
	const fresh = "another pepper, made later\n"
	for _, text := range []string{fresh + string(former), fresh} {
		apptest.WriteFile(w.t, file, text, 0o600)
		if _, stderr, err := apptest.Run(w.t, "reload", "--config", w.file); err != nil {
			w.t.Fatal(stderr)
		}
		w.Appoint(w.t, time.Now(), time.Now().Add(time.Hour))
	}
}

// showWrongTokens sends requests with wrong tokens to the admin API.
func (w *watched) showWrongTokens(count int) {
	w.t.Helper()
	https := w.HTTPS(w.t)
	for range count {
		request, err := http.NewRequestWithContext(w.t.Context(), "GET", w.API+"/v1/appointments", nil)
		if err != nil {
			w.t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer no-token")
		response, err := https.Do(request)
		if err != nil {
			w.t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusUnauthorized {
			w.t.Errorf("%s, want 401", response.Status)
		}
	}
}

// ask sends Allocate requests over UDP, without credentials or with wrong ones.
func (w *watched) ask(count int, wrong bool) {
	w.t.Helper()
	conn, err := net.Dial("udp", w.where.UDP[0])
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	request := []stun.Setter{stun.TransactionID, stun.NewType(stun.MethodAllocate, stun.ClassRequest),
		stun.RawAttribute{Type: stun.AttrRequestedTransport, Value: []byte{17, 0, 0, 0}}}
	if wrong {
		if _, err := conn.Write(stun.MustBuild(request...).Raw); err != nil {
			w.t.Fatal(err)
		}
		b, challenge, nonce := make([]byte, 2000), new(stun.Message), new(stun.Nonce)
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		n, err := conn.Read(b)
		if err == nil {
			err = stun.Decode(b[:n], challenge)
		}
		if err == nil {
			err = nonce.GetFrom(challenge)
		}
		if err != nil {
			w.t.Fatal(err)
		}
		username := apptest.DoctorCredential(w.t, filepath.Dir(w.file), "guessed").Username
		request = append(request, stun.NewUsername(username), stun.NewRealm(core.Realm), *nonce,
			stun.NewLongTermIntegrity(username, core.Realm, "guessed"))
	}
	for range count {
		_, _ = conn.Write(stun.MustBuild(request...).Raw)
	}
}

// fill makes appointments until the registry's disk is full.
func (w *watched) fill() {
	w.t.Helper()
	for i := range 10_000 {
		a := api.NewAppointment{ID: appointment.NewID(), Opens: new(time.Now())}
		for _, name := range appointment.SeatNames {
			verifier := seal.NewRoomKey()
			a.Seats = append(a.Seats, api.NewSeat{Name: name, Verifier: verifier[:],
				RoomKey: make([]byte, 60)})
		}
		switch status := w.Post(w.t, "/v1/appointments", a); status {
		case http.StatusCreated:
		case http.StatusInternalServerError:
			w.t.Logf("the disk was full after %d appointments", i)
			return
		default:
			w.t.Fatal(status)
		}
	}
	w.t.Fatal("the disk did not fill")
}
