// Package sitecheck is praxisrelay check: which of the ways to an appliance are open from
// here, and what it accepts that it must not.
//
//	check.go     the command, and the probes of the signaling
//	report.go    what the results mean, as text and JSON; words.go has the words
//	progress.go  what goes on, on a terminal
//	proxy*.go    the system's proxy
//	attack*.go   check --hostile
package sitecheck

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/cmd/praxisrelay/terminal"
	"praxisrelay/config"
	"praxisrelay/config/firewall"
	"praxisrelay/relay/certificate"
	"praxisrelay/relay/check"
	"praxisrelay/signal/client"
	"praxisrelay/signal/code"
	"praxisrelay/signal/protocol"
	"praxisrelay/signal/seal"
)

// How long what must last is held, and the line is measured.
type checkTimes struct{ socket, poll, measured time.Duration }

var (
	thorough = checkTimes{socket: 90 * time.Second, poll: 20 * time.Second, measured: 10 * time.Second}
	quick    = checkTimes{socket: 5 * time.Second, poll: 3 * time.Second, measured: 2 * time.Second}
)

// spare is how long a check may take in addition to the longest that it holds.
const spare = 90 * time.Second

// Exit codes of check, apart from 0: all is open. 1 is that of mistakes, too.
const (
	exitUnknown    terminal.ExitCode = 1
	exitRestricted terminal.ExitCode = 2
	exitFails      terminal.ExitCode = 3
)

// checkFlags are what check is asked for.
type checkFlags struct {
	code, proxy, fingerprint, ca, lang, socket string
	insecure, asJSON, quick, hostile           bool
}

// Command is praxisrelay check.
func Command() *cobra.Command {
	var f checkFlags
	c := &cobra.Command{
		Use:   "check {URL | --hostile [URL]}",
		Short: "Find out from within a network which ways to an appliance are open",
		Long: "Try every way to an appliance from where this runs, without camera or page: name,\n" +
			"connections, TLS and whose certificate it shows, signaling, and packets through\n" +
			"the relay on each transport and port. It takes two minutes, needs no privileges,\n" +
			"and says which row of the firewall's table is closed.\n\n" +
			"It needs a code: one that praxisrelay code create --test prints, or one of a\n" +
			"consultation, which it does not disturb. The code is asked for unless it stands\n" +
			"behind the URL's # or is given with --code.\n\n" +
			"Connections go through the proxy that HTTPS_PROXY names, unless NO_PROXY excepts\n" +
			"the appliance, or else that of the settings of Windows or macOS.\n\n" +
			"The exit code is 0 when all that the page uses is open, 2 when consultations work\n" +
			"with less, 3 when they do not, and 1 when it cannot be told: the code is not\n" +
			"accepted or gives no relay yet, or the check could not be run.\n\n" +
			"--hostile is for the server itself, as root: it attacks the appliance whose admin\n" +
			"socket this is, over each transport and within its limits, and says what was\n" +
			"accepted. It goes straight to the URL, or to the appliance's own, and sends\n" +
			"nothing before codes that it makes are taken there and the certificate is the\n" +
			"appliance's. The exit code is 0 when everything was refused, 3 when something was\n" +
			"accepted, and 1 when it cannot be told.",
		Example: `  praxisrelay check https://relay.example.org/
  praxisrelay check https://relay.example.org/#KTRW-BZMF-QHDF --lang de
  praxisrelay check https://relay.example.org/ --code - --json < code.txt
  praxisrelay check --hostile`,
		Args: func(c *cobra.Command, args []string) error {
			if f.hostile {
				return cobra.MaximumNArgs(1)(c, args)
			}
			return cobra.ExactArgs(1)(c, args)
		},
	}
	c.Flags().StringVar(&f.code, "code", "", "the `code`; -: from standard input, and then in no process list")
	c.Flags().StringVar(&f.proxy, "proxy", "", "the HTTP proxy's `URL` instead of what HTTPS_PROXY or the system says; none: no proxy")
	c.Flags().StringVar(&f.fingerprint, "fingerprint", "", "SHA-256 of the appliance's public key in `hex`, where it is known on paper")
	c.Flags().StringVar(&f.ca, "ca", "", "trust the certificates in this PEM `file` instead of the system's")
	c.Flags().BoolVar(&f.insecure, "insecure", false, "trust any certificate: for the demo alone")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print JSON, as docs/check.md describes it")
	c.Flags().BoolVar(&f.quick, "quick", false, "hold and measure for seconds instead of a minute and a half: finds what is closed, not what is cut later")
	c.Flags().StringVar(&f.lang, "lang", string(firewall.English), "the `language` of what is printed: de or en")
	c.Flags().BoolVar(&f.hostile, "hostile", false, "attack the appliance of this host, and say what it accepts")
	c.Flags().StringVar(&f.socket, "socket", config.Default().Signal.AdminSocket, "the daemon's admin `socket`, for --hostile")
	// Which certificate is right, the socket says; who tests a way through a proxy is a client.
	for _, other := range []string{"code", "proxy", "fingerprint", "ca", "insecure", "quick"} {
		c.MarkFlagsMutuallyExclusive("hostile", other)
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if f.hostile {
			return f.attack(c, strings.Join(args, ""))
		}
		if c.Flags().Changed("socket") {
			return errors.New("--socket is about --hostile: a check needs none")
		}
		return f.run(c, args[0])
	}
	return c
}

func (f *checkFlags) run(c *cobra.Command, address string) error {
	language, err := firewall.ParseLanguage(f.lang)
	if err != nil {
		return fmt.Errorf("--lang: %w", err)
	}
	k, err := f.checker(address)
	if err != nil {
		return err
	}
	if k.code, err = f.readCode(c.InOrStdin(), c.ErrOrStderr(), k.fragment); err != nil {
		return err
	}
	if k.script {
		fmt.Fprintln(c.ErrOrStderr(), checkTexts.script.in(language))
	}
	k.times = thorough
	if f.quick {
		k.times = quick
	}
	shown := newCheckProgress(c.ErrOrStderr(), language)
	k.results.Event = shown.event
	ctx, cancel := context.WithTimeout(c.Context(), k.times.socket+spare)
	defer cancel()
	k.run(ctx)
	shown.end()
	if err := c.Context().Err(); err != nil {
		return errors.New("the check was interrupted")
	}
	report := k.report(language, time.Now())
	if err := f.write(c.OutOrStdout(), report); err != nil {
		return err
	}
	return map[check.Verdict]error{check.Unknown: exitUnknown, check.Restricted: exitRestricted, check.Fails: exitFails}[report.Verdict]
}

// write writes a report for people or for programs.
func (f *checkFlags) write(out io.Writer, report interface{ print(io.Writer) error }) error {
	if !f.asJSON {
		return report.print(out)
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(report)
}

// readCode takes the code from the flag, from behind the URL's #, or asks for it.
func (f *checkFlags) readCode(stdin io.Reader, stderr io.Writer, fragment string) (code.Code, error) {
	text := f.code
	if text == "" {
		text = fragment
	}
	if text == "" || text == "-" {
		if text == "" && terminal.Is(stderr) {
			fmt.Fprint(stderr, "Code: ")
		}
		lines := bufio.NewScanner(stdin)
		lines.Scan()
		text = lines.Text()
	}
	return code.Parse(text)
}

// checker runs one check: the one place where the relay's probes and the signaling's
// meet.
type checker struct {
	target   *check.Target
	results  check.Results
	dialer   client.Dialer
	fragment string
	script   bool // the system's proxy is chosen by one, which is not read
	code     code.Code
	times    checkTimes
	info     protocol.Info
	beside   client.Check
	ice      *protocol.ICE // what the page is given; nil: nothing yet
}

func (f *checkFlags) checker(address string) (*checker, error) {
	u, port, err := ParseAppliance(address)
	if err != nil {
		return nil, err
	}
	trust, err := secrets.Trusting(f.ca, f.insecure)
	if err != nil {
		return nil, err
	}
	transport := trust.Transport.(*http.Transport)
	var system systemProxy
	switch f.proxy {
	case "":
		if os.Getenv("HTTPS_PROXY") == "" && os.Getenv("https_proxy") == "" {
			if system = readSystemProxy(); system.server != "" {
				transport.Proxy = system.choose
			}
		}
	case "none":
		transport.Proxy = nil
	default:
		proxy, err := url.Parse(f.proxy)
		if err != nil || proxy.Host == "" {
			return nil, errors.New("--proxy: not the URL of a proxy: write it like http://proxy.example.org:3128")
		}
		transport.Proxy = http.ProxyURL(proxy)
	}
	// An interceptor that offers HTTP/2 would else be spoken to in another way than the
	// WebSocket is.
	transport.ForceAttemptHTTP2, transport.TLSNextProto = false, map[string]func(string, *tls.Conn) http.RoundTripper{}
	k := &checker{
		target: &check.Target{
			Host: u.Hostname(), HTTPS: port, Proxy: transport.Proxy,
			Roots: transport.TLSClientConfig.RootCAs, Insecure: f.insecure,
			Judge: judging(u.Hostname(), transport.TLSClientConfig.RootCAs),
		},
		dialer:   client.Dialer{HTTP: trust, Server: u.Scheme + "://" + u.Host},
		fragment: u.Fragment,
		script:   system.script,
	}
	if f.fingerprint != "" {
		key, err := hex.DecodeString(strings.ReplaceAll(f.fingerprint, ":", ""))
		if err != nil || len(key) != 32 {
			return nil, errors.New("--fingerprint: 64 hexadecimal digits are expected, of the SHA-256 of the public key")
		}
		k.target.Key, k.target.KeyFrom = key, check.FromFlag
	}
	return k, nil
}

// judging judges for a check from here, with the roots that are trusted here.
func judging(name string, roots *x509.CertPool) func([]*x509.Certificate) (any, error) {
	return func(chain []*x509.Certificate) (any, error) {
		found := certificate.Judge(name, chain, roots, time.Now())
		for _, f := range found {
			if f.By == certificate.All {
				return found, errors.New(f.Text)
			}
		}
		return found, nil
	}
}

// ParseAppliance reads the address of an appliance's page.
func ParseAppliance(address string) (u *url.URL, port uint16, err error) {
	u, err = url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" {
		return nil, 0, errors.New("the URL is not the address of an appliance: write https:// and its name")
	}
	name, err := config.HostName(u.Hostname())
	if err != nil {
		return nil, 0, fmt.Errorf("the URL's name: %w", err)
	}
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	u.Host = strings.TrimSuffix(name+":"+u.Port(), ":")
	if u.Port() == "" {
		return u, 443, nil
	}
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil || n == 0 {
		return nil, 0, errors.New("the URL's port is none")
	}
	return u, uint16(n), nil
}

// run runs all probes: first those that tell which others there are.
func (k *checker) run(ctx context.Context) {
	page := check.Way{Transport: check.TLS, Port: k.target.HTTPS}
	k.results.Run(ctx, append(k.target.Base(), check.Probe{
		ID: "http", Way: &page, Needs: []string{fmt.Sprintf("tls-tls-%d", page.Port)}, Run: k.http,
	})...)
	if !k.results.OK("http") { // then what an appliance serves unless told otherwise is tried
		k.target.Ports = defaultPorts(k.target.HTTPS)
	}
	held := func(id string, run func(context.Context) (check.Values, error)) check.Probe {
		return check.Probe{ID: id, Way: &page, Needs: []string{"code"}, Run: run}
	}
	k.results.Run(ctx, append([]check.Probe{
		{ID: "code", Needs: []string{"http"}, Run: k.join},
		{ID: "credential", Needs: []string{"code"}, Run: k.credential},
		held("websocket", k.socket), held("polling", k.poll),
	}, k.target.All(&k.results, k.times.measured)...)...)
}

func defaultPorts(https uint16) check.Ports {
	ports := func(addresses []string) (list []uint16) {
		for _, address := range addresses {
			if addr, err := netip.ParseAddrPort("0.0.0.0" + address); err == nil {
				list = append(list, addr.Port())
			}
		}
		return list
	}
	l := config.Default().Listen
	return check.Ports{UDP: ports(l.TURNUDP), TCP: ports(l.TURNTCP), TLS: append(ports(l.TURNTLS), https)}
}

// http asks the appliance what a client must know.
func (k *checker) http(ctx context.Context) (_ check.Values, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	began := time.Now()
	if k.info, err = client.GetInfo(ctx, k.dialer.HTTP, k.dialer.Server); err != nil {
		return nil, notAppliance(err)
	}
	if k.info.Version != 1 || k.info.Rounds < code.MinRounds || k.info.Rounds > code.MaxRounds {
		return nil, check.Failure{Reason: check.NotAppliance, Err: errors.New("the answer is not that of an appliance")}
	}
	// What is not said is not served, but for the page's port.
	k.target.Ports = check.Ports{UDP: k.info.TURN.UDP, TCP: k.info.TURN.TCP, TLS: k.info.TURN.TLS}
	if !slices.Contains(k.target.Ports.TLS, k.target.HTTPS) {
		k.target.Ports.TLS = append(k.target.Ports.TLS, k.target.HTTPS)
	}
	if k.target.KeyFrom == "" && len(k.info.Key) > 0 {
		k.target.Key, k.target.KeyFrom = k.info.Key, check.FromInfo
	}
	return check.Values{"answer_ms": float64(time.Since(began).Microseconds()) / 1000}, nil
}

// notAppliance leaves errors of the network as they are.
func notAppliance(err error) error {
	if _, ok := errors.AsType[*url.Error](err); ok {
		return err
	}
	return check.Failure{Reason: check.NotAppliance, Err: err}
}

// join shows the code and takes a credential.
func (k *checker) join(ctx context.Context) (check.Values, error) {
	keys, err := k.code.Derive(k.info.Salt, k.info.Rounds)
	if err != nil {
		return nil, err
	}
	k.beside = client.Check{Dialer: k.dialer, Keys: keys}
	b, err := k.beside.Join(ctx)
	if _, answered := errors.AsType[*protocol.Error](err); answered {
		return nil, check.Failure{Reason: check.CodeRefused, Err: err}
	}
	if err != nil {
		return nil, notAppliance(err)
	}
	if key := b.RoomKey; b.Welcome.Seat == "test" && k.target.KeyFrom != check.FromFlag && key != (seal.RoomKey{}) {
		k.target.Key, k.target.KeyFrom = bytes.Clone(key[:]), check.FromCode
	}
	k.ice = b.ICE
	return check.Values{"seat": b.Welcome.Seat, "until": b.Welcome.Closes.UTC().Format(time.RFC3339)}, nil
}

// credential takes what the code leads to, if it does at once.
func (k *checker) credential(context.Context) (check.Values, error) {
	if k.ice == nil {
		return nil, check.Failure{Reason: check.NotAdmitted, Err: errors.New("a patient's seat is given a relay when the doctor lets it in: use the doctor's code, or one of a test")}
	}
	for _, server := range k.ice.Servers {
		k.target.Username, k.target.Password = server.Username, server.Credential
		servers, err := check.ParseServers(server.URLs, server.Username, server.Credential)
		if err != nil {
			return nil, check.Failure{Reason: check.NotAppliance, Err: err}
		}
		k.target.Servers = append(k.target.Servers, servers...)
	}
	return check.Values{"expires": k.ice.Expires.UTC().Format(time.RFC3339)}, nil
}

func (k *checker) socket(ctx context.Context) (check.Values, error) {
	held, err := k.beside.HoldSocket(ctx, k.times.socket)
	return heldFor(held, err)
}

func (k *checker) poll(ctx context.Context) (check.Values, error) {
	held, err := k.beside.HoldPoll(ctx, k.times.poll)
	return heldFor(held, err)
}

func heldFor(held time.Duration, err error) (check.Values, error) {
	values := check.Values{"held_s": float64(held.Milliseconds()) / 1000}
	if refused, ok := errors.AsType[client.NoSocket](err); ok {
		if refused.Status != 0 {
			values["status"] = refused.Status
		}
		return values, check.Failure{Reason: check.NoUpgrade, Err: err}
	}
	if err != nil && held > 0 {
		return values, check.Failure{Reason: check.Cut, Err: err}
	}
	return values, err
}

// plan is the firewall's table as the client knows it.
func (k *checker) plan(now time.Time) (firewall.Plan, error) {
	c := config.Default()
	c.Name = k.target.Host
	listeners := func(ports []uint16) (list []string) {
		for _, port := range ports {
			list = append(list, fmt.Sprintf(":%d", port))
		}
		return list
	}
	others := slices.DeleteFunc(slices.Clone(k.target.Ports.TLS), func(port uint16) bool { return port == k.target.HTTPS })
	c.Listen.HTTPS = fmt.Sprintf(":%d", k.target.HTTPS)
	c.Listen.TURNUDP, c.Listen.TURNTCP, c.Listen.TURNTLS = listeners(k.target.Ports.UDP), listeners(k.target.Ports.TCP), listeners(others)
	return firewall.New(c, firewall.Site{Addresses: k.target.Addresses(), AsOf: now})
}
