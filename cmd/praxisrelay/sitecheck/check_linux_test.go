package sitecheck_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/cmd/praxisrelay/sitecheck"
	"praxisrelay/relay/check"
)

// checkLab is an appliance on its own host, with a switch to which clients are connected. The
// firewall is in front of the appliance and drops packets by client. To the client that looks like
// a firewall at its own practice.
type checkLab struct {
	*testing.T
	ip, server string
	socket     string // of the appliance
	bundle     string // of the authorities that clients trust
	own        apptest.Issued
	forged     apptest.Issued // trusted, but not the appliance's
}

func newCheckLab(t *testing.T) *checkLab {
	l := &checkLab{T: t, ip: apptest.Tool(t, "ip", "iproute2"),
		server: fmt.Sprintf("praxis%dcheck", os.Getpid())}
	apptest.Tool(t, "nft", "nftables")
	if os.Geteuid() != 0 {
		apptest.Skip(t, "only root makes network namespaces: run the tests as root")
	}
	l.host(l.server)
	l.run("-n", l.server, "link", "add", "switch", "type", "bridge")
	l.run("-n", l.server, "link", "set", "switch", "up")
	l.run("-n", l.server, "link", "set", "lo", "up")
	l.run("-n", l.server, "address", "add", "10.77.0.1/24", "dev", "switch")
	l.run("-n", l.server, "address", "add", "fd00:77::1/64", "dev", "switch", "nodad")
	l.rules(l.server, `table inet firewall {
  chain in { type filter hook input priority 0; }
}
table ip divert {
  chain in { type nat hook prerouting priority -100; }
}`)
	authority, own := apptest.IssueFrom(t, "Example Authority")
	interceptor, forged := apptest.IssueFrom(t, "Example Inspection")
	l.own, l.forged = own, forged
	l.bundle = filepath.Join(t.TempDir(), "authorities.pem")
	apptest.WriteFile(t, l.bundle, authority+interceptor, 0o600)

	file, folder := apptest.WriteConfig(t)
	apptest.WriteFile(t, filepath.Join(folder, "cert.pem"), own.Certificate, 0o600)
	apptest.WriteFile(t, filepath.Join(folder, "key.pem"), own.Key, 0o600)
	apptest.Edit(t, file, "name: 127.0.0.1", "name: "+apptest.ApplianceName, "https: 127.0.0.1:0",
		"https: ':443'",
		"turn_udp: [127.0.0.1:0]", "turn_udp: [':3478', ':3479']", "turn_tcp: [127.0.0.1:0]",
		"turn_tcp: [':3478', ':3479']",
		"turn_tls: [127.0.0.1:0]", "turn_tls: [':5349', ':5350']", "admin_listen: 127.0.0.1:0",
		"admin_listen: ''")
	l.socket = filepath.Join(folder, "admin.sock")
	h := apptest.Hosts{l.server}
	apptest.Start(t, h.On(0, apptest.Program("serve", "--config", file)), true, apptest.IsServing)
	return l
}

func (l *checkLab) run(args ...string) {
	l.Helper()
	if out, err := exec.Command(l.ip, args...).CombinedOutput(); err != nil {
		l.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

func (l *checkLab) host(name string) {
	l.Helper()
	l.run("netns", "add", name)
	l.Cleanup(func() { _ = exec.Command(l.ip, "netns", "delete", name).Run() })
}

func (l *checkLab) rules(host, text string) {
	l.Helper()
	c := exec.Command(l.ip, "netns", "exec", host, "nft", "-f", "-")
	c.Stdin = strings.NewReader(text)
	if out, err := c.CombinedOutput(); err != nil {
		l.Fatalf("nft: %v: %s\n%s", err, out, text)
	}
}

// site is a network from which a check runs.
type site struct {
	drop    string // nft's match for what the firewall drops; empty: nothing
	divert  string // where the appliance's HTTPS port is redirected to
	nat     bool   // the site is behind a NAT that maps by destination
	only6   bool
	noName  bool // names cannot be resolved
	proxied bool // connections go through the proxy at 10.77.0.1:3128
}

// client creates the host of the n-th client, named after it.
func (l *checkLab) client(n int, s site) string {
	l.Helper()
	name := fmt.Sprintf("%s%d", l.server, n)
	l.host(name)
	port := fmt.Sprintf("port%d", n)
	l.run("link", "add", port, "netns", l.server, "type", "veth", "peer", "name", "cable", "netns", name)
	l.run("-n", l.server, "link", "set", port, "master", "switch", "up")
	l.run("-n", name, "link", "set", "cable", "up")
	ip4, ip6 := fmt.Sprintf("10.77.0.%d", n), fmt.Sprintf("fd00:77::%d", n)
	l.run("-n", name, "address", "add", ip6+"/64", "dev", "cable", "nodad")
	names := "fd00:77::1 " + apptest.ApplianceName + "\n"
	if !s.only6 {
		l.run("-n", name, "address", "add", ip4+"/24", "dev", "cable")
		names = "10.77.0.1 " + apptest.ApplianceName + "\n"
	}
	if s.noName {
		names = "127.0.0.1 localhost\n"
	}
	folder := filepath.Join("/etc/netns", name)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { os.RemoveAll(folder) })
	apptest.WriteFile(l.T, filepath.Join(folder, "hosts"), names, 0o644)
	apptest.WriteFile(l.T, filepath.Join(folder, "resolv.conf"), "nameserver 10.77.0.1\n", 0o644)
	if s.drop != "" {
		l.rules(l.server, fmt.Sprintf("add rule inet firewall in ip saddr %s %s drop", ip4, s.drop))
	}
	if s.divert != "" {
		l.rules(l.server, fmt.Sprintf("add rule ip divert in ip saddr %s tcp dport 443 redirect to %s",
			ip4, s.divert))
	}
	if s.nat {
		l.rules(name, "table ip nat {\n chain out {\n type nat hook postrouting priority 100;\n masquerade fully-random\n }\n}")
	}
	return name
}

// check runs a check on a client's host.
func (l *checkLab) check(name string, s site, args ...string) (report sitecheck.Report, code int) {
	made, stderr, err := apptest.Run(l.T, "code", "create", "--test", "--json", "--socket", l.socket)
	if err != nil {
		l.Error(stderr)
		return report, -1
	}
	var created apptest.MadeAppointment
	if err := json.Unmarshal([]byte(made), &created); err != nil {
		l.Error(err)
		return report, -1
	}
	h := apptest.Hosts{name}
	c := h.On(0, apptest.Program(append([]string{"check", "https://" + apptest.ApplianceName + "/",
		"--code", "-", "--json", "--quick"}, args...)...))
	c.Env = append(slices.DeleteFunc(c.Env, func(v string) bool {
		return strings.Contains(strings.ToLower(v), "_proxy=")
	}),
		"SSL_CERT_FILE="+l.bundle, "SSL_CERT_DIR=/nonexistent")
	if s.proxied {
		c.Env = append(c.Env, "HTTPS_PROXY=http://10.77.0.1:3128")
	}
	c.Stdin = strings.NewReader(created.Seats[0].Code)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err = c.Run()
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		l.Errorf("%v: %s%s", err, &out, &errs)
		return report, -1
	}
	if strings.Contains(out.String()+errs.String(), created.Seats[0].Code) {
		l.Error("the code is in the output")
	}
	if exited, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exited.ExitCode()
	}
	return report, code
}

// TestCheckNamesWhatIsClosed checks that behind each firewall a check names its row and no other.
func TestCheckNamesWhatIsClosed(t *testing.T) {
	t.Parallel()
	l := newCheckLab(t)
	l.serveProxy("10.77.0.1:3128")
	l.serveFront(":8443", l.own, true, false)
	l.serveFront(":9443", l.forged, false, true)
	const https = "client-https"
	others := []string{"client-turn-udp-3478", "client-turn-udp-3479", "client-turn-tcp-3478",
		"client-turn-tcp-3479", "client-turn-tls-5349", "client-turn-tls-5350"}
	scenarios := []struct {
		name    string
		site    site
		verdict check.Verdict
		rows    []string // to open, or named by a failed probe
		exempt  []string
		fails   string // the probe that is the cause, or the only one that fails; empty: not checked
		best    string
		nat     string
	}{
		{name: "direct", verdict: check.Works, best: "3478/UDP", nat: check.NoNAT},
		{name: "UDP blocked", site: site{drop: "meta l4proto udp"}, verdict: check.Restricted,
			rows: others[:2], best: "3478/TCP"},
		{name: "only TCP 443", site: site{drop: "th dport != 443"}, verdict: check.Restricted,
			rows: others, best: "443/TCP (TLS)"},
		{name: "only a CONNECT proxy", site: site{drop: "th dport != 3128", proxied: true},
			verdict: check.Restricted, rows: others, best: "443/TCP (TLS)"},
		{name: "symmetric NAT", site: site{nat: true}, verdict: check.Works, best: "3478/UDP", nat: check.EndpointDependent},
		{name: "IPv6 only", site: site{only6: true}, verdict: check.Works, best: "3478/UDP", nat: check.NoNAT},
		{name: "WebSockets refused", site: site{divert: ":8443"}, verdict: check.Restricted,
			rows: []string{https}, fails: "websocket", best: "3478/UDP"},
		{name: "443/TCP blocked", site: site{drop: "tcp dport 443"}, verdict: check.Fails,
			rows: []string{https}, fails: "connect-tcp-443"},
		{name: "3478/UDP blocked", site: site{drop: "udp dport 3478"}, verdict: check.Restricted,
			rows: others[0:1], fails: "connect-udp-3478", best: "3478/TCP"},
		{name: "3479/UDP blocked", site: site{drop: "udp dport 3479"}, verdict: check.Works,
			rows: others[1:2], fails: "connect-udp-3479", best: "3478/UDP"},
		{name: "3478/TCP blocked", site: site{drop: "tcp dport 3478"}, verdict: check.Restricted,
			rows: others[2:3], fails: "connect-tcp-3478", best: "3478/UDP"},
		{name: "3479/TCP blocked", site: site{drop: "tcp dport 3479"}, verdict: check.Works,
			rows: others[3:4], fails: "connect-tcp-3479", best: "3478/UDP"},
		{name: "5349/TCP blocked", site: site{drop: "tcp dport 5349"}, verdict: check.Works,
			rows: others[4:5], fails: "connect-tcp-5349", best: "3478/UDP"},
		{name: "5350/TCP blocked", site: site{drop: "tcp dport 5350"}, verdict: check.Works,
			rows: others[5:6], fails: "connect-tcp-5350", best: "3478/UDP"},
		{name: "DNS broken", site: site{noName: true}, verdict: check.Fails, fails: "dns"},
		{name: "TLS intercepted", site: site{divert: ":9443"}, verdict: check.Restricted,
			rows: []string{https}, exempt: []string{https}, best: "3478/UDP"},
		{name: "TLS intercepted, nothing else",
			site: site{divert: ":9443", drop: "th dport != { 443, 9443 }"}, verdict: check.Fails,
			rows: append([]string{https}, others...), exempt: []string{https}},
	}
	table := make([]string, len(scenarios))
	slots := make(chan struct{}, 4) // more checks would disturb each other's measurements
	var running sync.WaitGroup
	var clients []string
	for i, s := range scenarios {
		clients = append(clients, l.client(i+2, s.site))
	}
	for i, s := range scenarios {
		running.Go(func() {
			slots <- struct{}{}
			report, code := l.check(clients[i], s.site)
			<-slots
			named := map[string]bool{}
			for _, row := range slices.Concat(report.Open, report.Exempt) {
				named[row.ID] = true
			}
			var failed []string
			nat := ""
			for _, r := range report.Results {
				if r.Status == check.Failed {
					failed = append(failed, r.ID)
					if r.Row != "" {
						named[r.Row] = true
					}
				}
				if r.ID == "nat" && r.Status == check.OK {
					nat = r.Values["mapping"].(string)
				}
			}
			rows := sortedKeys(named)
			best := ""
			if report.Best != nil {
				best = report.Best.String()
			}
			table[i] = fmt.Sprintf("%-30s %-11s %s", s.name, report.Verdict, report.Sentence)
			want := slices.Sorted(slices.Values(s.rows))
			exempt := []string{}
			for _, row := range report.Exempt {
				exempt = append(exempt, row.ID)
			}
			wantCode := map[check.Verdict]int{check.Works: 0, check.Restricted: 2, check.Fails: 3}[s.verdict]
			if report.Verdict != s.verdict || code != wantCode || !slices.Equal(rows, want) ||
				!slices.Equal(exempt, s.exempt) || best != s.best ||
				s.fails != "" && !slices.Equal(failed, []string{s.fails}) || s.nat != "" && nat != s.nat {
				text, _ := json.MarshalIndent(report, "", " ")
				t.Errorf("%s: %s, exit code %d, rows %q, exempt %q, best %q, failed %q, NAT %q; want %s, rows %q, exempt %q, best %q, NAT %q\n%s",
					s.name, report.Verdict, code, rows, exempt, best, failed, nat, s.verdict, want,
					s.exempt, s.best, s.nat, text)
			}
			if len(s.exempt) > 0 && !strings.Contains(report.Sentence, "Example Inspection") {
				t.Errorf("%s: the interceptor is not named: %s", s.name, report.Sentence)
			}
		})
	}
	running.Wait()
	t.Logf("scenario x verdict\n%s", strings.Join(table, "\n"))
}

func sortedKeys(set map[string]bool) (keys []string) {
	for key := range set {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// listenOn listens on the appliance's host.
func (l *checkLab) listenOn(address string) net.Listener {
	l.Helper()
	type result struct {
		listener net.Listener
		err      error
	}
	results := make(chan result)
	go func() {
		runtime.LockOSThread() // the thread ends with this goroutine, in the other namespace
		fd, err := unix.Open("/run/netns/"+l.server, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = unix.Setns(fd, unix.CLONE_NEWNET)
			unix.Close(fd)
		}
		var r result
		if r.err = err; err == nil {
			r.listener, r.err = net.Listen("tcp", address)
		}
		results <- r
	}()
	r := <-results
	if r.err != nil {
		l.Fatal(r.err)
	}
	l.Cleanup(func() { r.listener.Close() })
	return r.listener
}

// backend connects to the appliance from its own host.
func (l *checkLab) backend() (net.Conn, error) { return apptest.DialOn(l.server, "127.0.0.1:443") }

func (l *checkLab) secureBackend() (net.Conn, error) {
	conn, err := l.backend()
	if err != nil {
		return nil, err
	}
	return tls.Client(conn, &tls.Config{InsecureSkipVerify: true}), nil
}

// serveProxy serves an HTTP proxy that only connects to port 443.
func (l *checkLab) serveProxy(address string) {
	listener := l.listenOn(address)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != apptest.ApplianceName+":443" {
			http.Error(w, "not allowed", http.StatusForbidden)
			return
		}
		there, err := l.backend()
		if err != nil {
			http.Error(w, "not now", http.StatusBadGateway)
			return
		}
		here, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			there.Close()
			return
		}
		fmt.Fprint(here, "HTTP/1.1 200 OK\r\n\r\n")
		splice(here, there)
	})}
	l.Cleanup(func() { server.Close() })
	go func() { _ = server.Serve(listener) }()
}

// splice copies bytes both ways until either end is closed.
func splice(a, b net.Conn) {
	for _, way := range [][2]net.Conn{{a, b}, {b, a}} {
		go func() {
			_, _ = io.Copy(way[0], way[1])
			a.Close()
			b.Close()
		}()
	}
}

// serveFront terminates TLS with its own certificate and forwards HTTP, and optionally TURN and
// WebSockets.
func (l *checkLab) serveFront(address string, certificate apptest.Issued, turn, sockets bool) {
	pair, err := tls.X509KeyPair([]byte(certificate.Certificate), []byte(certificate.Key))
	if err != nil {
		l.Fatal(err)
	}
	listener := tls.NewListener(l.listenOn(address), &tls.Config{Certificates: []tls.Certificate{pair}})
	web := &oneByOne{conns: make(chan net.Conn), closed: make(chan struct{}), addr: listener.Addr()}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: apptest.ApplianceName})
		},
		Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			return l.secureBackend()
		}},
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" && !sockets {
			http.Error(w, "no upgrades", http.StatusForbidden)
			return
		}
		proxy.ServeHTTP(w, r)
	})}
	l.Cleanup(func() { server.Close() })
	go func() { _ = server.Serve(web) }()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				first := make([]byte, 1)
				if _, err := io.ReadFull(conn, first); err != nil {
					conn.Close()
					return
				}
				begun := &prefixed{Conn: conn, first: first}
				if first[0] >= 4 {
					web.take(begun)
					return
				}
				there, err := l.secureBackend()
				if err != nil || !turn {
					conn.Close()
					return
				}
				splice(begun, there)
			}()
		}
	}()
}

// oneByOne is a listener for connections that were accepted elsewhere.
type oneByOne struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	addr   net.Addr
}

func (o *oneByOne) take(conn net.Conn) {
	select {
	case o.conns <- conn:
	case <-o.closed:
		conn.Close()
	}
}

func (o *oneByOne) Accept() (net.Conn, error) {
	select {
	case conn := <-o.conns:
		return conn, nil
	case <-o.closed:
		return nil, net.ErrClosed
	}
}

func (o *oneByOne) Close() error   { o.once.Do(func() { close(o.closed) }); return nil }
func (o *oneByOne) Addr() net.Addr { return o.addr }

// prefixed is a connection of which some bytes have been read already.
type prefixed struct {
	net.Conn
	first []byte
}

func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.first) > 0 {
		n := copy(b, p.first)
		p.first = p.first[n:]
		return n, nil
	}
	return p.Conn.Read(b)
}
