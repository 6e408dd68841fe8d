package appliance

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/stun/v3"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/config"
	"praxisrelay/relay"
	"praxisrelay/relay/credential"
	"praxisrelay/relay/probe"
)

// logged passes on each line of a log while somebody is waiting for it.
type logged chan string

func (l logged) Write(b []byte) (int, error) {
	select {
	case l <- string(b):
	default:
	}
	return len(b), nil
}

// TestWatchdogIsFedByWhatWorks checks that the real program feeds the watchdog, and that it stops
// when the UDP readers or the holder of the relay's lock are stuck.
func TestWatchdogIsFedByWhatWorks(t *testing.T) {
	manager := apptest.NewServiceManager(t)
	file, folder := apptest.WriteConfig(t)
	s := apptest.NewServed(folder)
	c := apptest.Program("serve", "--config", file)
	c.Env = append(c.Env, "NOTIFY_SOCKET="+manager.Path, "WATCHDOG_USEC=3000000")
	s.Daemon = apptest.Start(t, c, true, s.Serving)
	manager.Expect(t, "READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1")
	s.Stop(t)
	manager = apptest.NewServiceManager(t)

	t.Setenv("NOTIFY_SOCKET", manager.Path)
	// While the mutex is held, everything that needs the time blocks: the readers, and the sweep,
	// which holds the relay's lock.
	var held sync.Mutex
	keys, err := credential.NewKeyring([]byte("the secret of this test"))
	if err != nil {
		t.Fatal(err)
	}
	settings := config.Default()
	settings.Listen.HTTPS, settings.Listen.TURNUDP, settings.Listen.TURNTCP, settings.Listen.TURNTLS = "127.0.0.1:0", []string{"127.0.0.1:0"}, []string{"127.0.0.1:0"}, nil
	r, err := relay.Listen(relay.Options{
		Listen: settings.Listen, Relay: settings.Relay, Keys: keys, TLS: new(tls.Config),
		Now: func() time.Time {
			held.Lock()
			defer held.Unlock()
			return time.Now()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = r.Serve(ctx) })
	log := make(logged, 100)
	self := probe.Self{UDP: r.Addresses().UDP, TCP: r.Addresses().TCP, HTTPS: answering(t)}
	running.Go(func() {
		feedWatchdog(ctx, time.Second, self.Check, func() string {
			return "serving"
		}, slog.New(slog.NewTextHandler(log, nil)))
	})
	defer func() {
		cancel()
		running.Wait()
	}()
	manager.Expect(t, "WATCHDOG=1", "WATCHDOG=1")
	held.Lock()
	for range 3 { // the first probe may have been answered earlier
		if line := <-log; !strings.Contains(line, "STUN over UDP at") ||
			!strings.Contains(line, "STUN over TCP at") || !strings.Contains(line, "not fed") {
			t.Errorf("said %q", line)
		}
	}
	for fed := 0; ; {
		text, err := manager.Next(t, 10*time.Millisecond)
		if err != nil {
			break
		}
		if text == "WATCHDOG=1" {
			if fed++; fed > 1 { // the first may have been answered earlier
				t.Error("a stuck relay was fed")
			}
		}
	}
	held.Unlock()
	manager.Expect(t, "WATCHDOG=1", "STATUS=serving", "WATCHDOG=1")
}

// answering listens and closes each connection at once, which counts as an answer.
func answering(t *testing.T) netip.AddrPort {
	t.Helper()
	return netip.MustParseAddrPort(apptest.AcceptHere(t, func(conn net.Conn) { conn.Close() }))
}

// TestAFloodDoesNotStarveTheWatchdog checks that the appliance counts as alive while strangers take
// every connection and every handshake, and send as much UDP as they can.
func TestAFloodDoesNotStarveTheWatchdog(t *testing.T) {
	file, folder := apptest.WriteConfig(t)
	apptest.Edit(t, file, "listen:\n", "listen:\n  max_connections: 40\n  max_handshakes: 8\n")
	s := apptest.NewServed(folder)
	var line string
	s.Daemon = apptest.Start(t, apptest.Program("serve", "--config", file), true, func(l string) bool {
		line = l
		return s.Serving(l)
	})
	where := func(key string) netip.AddrPort {
		_, rest, _ := strings.Cut(line, " "+key+"=[")
		text, _, _ := strings.Cut(rest, "]")
		address, err := netip.ParseAddrPort(text)
		if err != nil {
			t.Fatal(line, err)
		}
		return address
	}
	udp, tcp := where("turn_udp"), where("turn_tcp")
	https := netip.MustParseAddrPort(strings.TrimSuffix(strings.TrimPrefix(s.URL, "https://"), "/"))
	ctx, stop := context.WithCancel(t.Context())
	var flooding sync.WaitGroup
	defer flooding.Wait()
	defer stop()
	binding := stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw
	for i := range 8 {
		from := net.IPv4(127, 0, 2, byte(1+i))
		flooding.Go(func() {
			conn, err := net.DialUDP("udp4", &net.UDPAddr{IP: from}, net.UDPAddrFromAddrPort(udp))
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			for ctx.Err() == nil {
				_, _ = conn.Write(binding)
			}
		})
		flooding.Go(func() {
			dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}
			var open []net.Conn
			defer func() {
				for _, conn := range open {
					conn.Close()
				}
			}()
			for i := 0; ctx.Err() == nil; i++ {
				to := []netip.AddrPort{tcp, https}[i%2]
				if conn, err := dialer.DialContext(ctx, "tcp", to.String()); err == nil {
					open = append(open, conn)
				}
				if len(open) > 50 {
					open[0].Close()
					open = open[1:]
				}
			}
		})
	}
	self := probe.Self{UDP: []netip.AddrPort{udp}, TCP: []netip.AddrPort{tcp}, HTTPS: https}
	for range 5 {
		probing, cancel := context.WithTimeout(ctx, 20*time.Second)
		began := time.Now()
		if err := self.Check(probing); err != nil {
			t.Errorf("a flooded appliance counts as dead: %v", err)
		}
		cancel()
		t.Logf("it answered after %v", time.Since(began).Round(time.Millisecond))
	}
}

// TestAFloodFromThisHostDoesNotStarveTheWatchdog checks the same for a flood from this host,
// whose users share its addresses, and from its /64, which shares its budget.
func TestAFloodFromThisHostDoesNotStarveTheWatchdog(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		settings := config.Default()
		settings.Listen.HTTPS, settings.Listen.TURNUDP, settings.Listen.TURNTCP, settings.Listen.TURNTLS = host+":0", []string{host + ":0"}, nil, nil
		settings.Relay.UnauthenticatedRate = 1
		keys, err := credential.NewKeyring([]byte("the secret of this test"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := relay.Listen(relay.Options{Listen: settings.Listen, Relay: settings.Relay, Keys: keys,
			TLS: new(tls.Config), Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = r.Serve(ctx) })
		a := &Appliance{settings: settings, relay: r,
			addresses: relay.Addresses{UDP: r.Addresses().UDP, HTTPS: answering(t)}}
		conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(a.addresses.UDP[0]))
		if err != nil {
			t.Fatal(err)
		}
		binding := stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw
		drawn := make(chan struct{})
		running.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				_, _ = conn.Write(binding)
				if i == 20_000 { // ten requests are answered at once
					close(drawn)
				}
			}
		})
		<-drawn
		probing, cancel := context.WithTimeout(ctx, 10*time.Second)
		if err := a.selfProbe()(probing); err != nil {
			t.Errorf("%s: %v", host, err)
		}
		cancel()
		stop()
		running.Wait()
		conn.Close()
	}
}
