// Package sitecheck is praxisrelay check: which ways to an appliance are open from here, and, with
// --hostile, what it accepts although it must not.
//
//	check.go     the command, and the probes of the signaling
//	report.go    the meaning of the results, as text and JSON; words.go has the words
//	progress.go  the progress on a terminal
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
	"praxisrelay/config/lang"
	"praxisrelay/relay/certificate"
	"praxisrelay/relay/check"
	"praxisrelay/signal/client"
	"praxisrelay/signal/code"
	"praxisrelay/signal/protocol"
	"praxisrelay/signal/seal"
)

// checkTimes are how long sockets and polls are held, and how long the line is measured.
type checkTimes struct{ socket, poll, measured time.Duration }

var (
	thorough = checkTimes{socket: 90 * time.Second, poll: 20 * time.Second, measured: 10 * time.Second}
	quick    = checkTimes{socket: 5 * time.Second, poll: 3 * time.Second, measured: 2 * time.Second}
)

// spare is how much longer a check may take than its longest test.
const spare = 90 * time.Second

// Exit codes of check. 0 means that all is open; 1 also stands for mistakes.
const (
	exitUnknown    terminal.ExitCode = 1
	exitRestricted terminal.ExitCode = 2
	exitFails      terminal.ExitCode = 3
)

// checkFlags are the flags of check.
type checkFlags struct {
	code, proxy, fingerprint, ca, lang, socket string
	insecure, asJSON, quick, hostile           bool
}

// Command returns praxisrelay check.
func Command() *cobra.Command {
	var f checkFlags
	c := &cobra.Command{
		Use:   "check {URL | --hostile [URL]}",
		Short: "Find out from inside a network which ways to an appliance are open",
		Long: "Try every way to an appliance from this computer, without a camera or the page:\n" +
			"its name, connections, TLS and its certificate, signaling, and packets through\n" +
			"the relay on each transport and port. It takes two minutes, needs no privileges,\n" +
			"and reports which row of the firewall's table is closed.\n\n" +
			"It needs a code: one from praxisrelay code create --test, or one of a\n" +
			"consultation, which it does not disturb. It asks for the code unless that\n" +
			"follows the URL's # or is given with --code.\n\n" +
			"Connections go through the proxy that HTTPS_PROXY names, unless NO_PROXY excludes\n" +
			"the appliance, or else through the one in the settings of Windows or macOS.\n\n" +
			"The exit code is 0 if everything the page uses is open, 2 if consultations work but\n" +
			"not at their best, 3 if they do not work, and 1 if there is no verdict: the code is not\n" +
			"accepted or gives no access to the relay yet, or the check could not be run.\n\n" +
			"--hostile is for the server itself, as root: it attacks the appliance whose admin\n" +
			"socket this is, over each transport and within its limits, and reports what was\n" +
			"accepted. It goes straight to the URL, or to the appliance's own, and sends\n" +
			"nothing until codes that it makes are accepted there and the certificate is the\n" +
			"appliance's. The exit code is 0 if everything was refused, 3 if something was\n" +
			"accepted, and 1 if there is no verdict.",
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
	c.Flags().StringVar(&f.code, "code", "",
		"the `code`; - reads it from standard input, which keeps it out of process lists")
	c.Flags().StringVar(&f.proxy, "proxy", "",
		"the HTTP proxy's `URL`, instead of HTTPS_PROXY or the system's settings; none for no proxy")
	c.Flags().StringVar(&f.fingerprint, "fingerprint", "",
		"the SHA-256 of the appliance's public key in `hex`, if you have it on paper")
	c.Flags().StringVar(&f.ca, "ca", "", "trust the certificates in this PEM `file` instead of the system's")
	c.Flags().BoolVar(&f.insecure, "insecure", false, "trust any certificate: only for the demo")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print JSON, as docs/check.md describes it")
	c.Flags().BoolVar(&f.quick, "quick", false,
		"hold connections and measure for seconds instead of a minute and a half: finds what is "+
			"closed, but not what is cut later")
	c.Flags().StringVar(&f.lang, "lang", string(lang.English), "the `language` of the output: de or en")
	c.Flags().BoolVar(&f.hostile, "hostile", false,
		"attack the appliance on this host, and report what it accepts")
	c.Flags().StringVar(&f.socket, "socket", config.Default().Signal.AdminSocket,
		"the daemon's admin `socket`, for --hostile")
	// The socket knows the right certificate, and only clients test a way through a proxy.
	for _, other := range []string{"code", "proxy", "fingerprint", "ca", "insecure", "quick"} {
		c.MarkFlagsMutuallyExclusive("hostile", other)
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if f.hostile {
			return f.attack(c, strings.Join(args, ""))
		}
		if c.Flags().Changed("socket") {
			return errors.New("--socket is for --hostile: a check needs no socket")
		}
		return f.run(c, args[0])
	}
	return c
}

func (f *checkFlags) run(c *cobra.Command, address string) error {
	language, err := lang.Parse(f.lang)
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
		fmt.Fprintln(c.ErrOrStderr(), checkTexts.script.In(language))
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
	return map[check.Verdict]error{check.Unknown: exitUnknown, check.Restricted: exitRestricted,
		check.Fails: exitFails}[report.Verdict]
}

// write prints a report for a person, or as JSON.
func (f *checkFlags) write(out io.Writer, report interface{ print(io.Writer) error }) error {
	if !f.asJSON {
		return report.print(out)
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(report)
}

// readCode takes the code from the flag or from the URL's fragment, or asks for it.
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

// checker runs one check. Only here do the relay's probes and the signaling's meet.
type checker struct {
	target    *check.Target
	results   check.Results
	dialer    client.Dialer
	fragment  string
	script    bool // a script chooses the system's proxy; it is not read
	code      code.Code
	times     checkTimes
	info      protocol.Info
	signaling client.Check
	ice       *protocol.ICE // what the page would get; nil if nothing yet
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
			return nil, errors.New("--proxy: not the URL of a proxy: write it like " +
				"http://proxy.example.org:3128")
		}
		transport.Proxy = http.ProxyURL(proxy)
	}
	// With HTTP/2, an interceptor could treat these requests differently from the WebSocket.
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
			return nil, errors.New("--fingerprint: 64 hexadecimal digits are expected, of the " +
				"SHA-256 of the public key")
		}
		k.target.Key, k.target.KeyFrom = key, check.FromFlag
	}
	return k, nil
}

// judging returns a judge of certificates with the roots that are trusted here.
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
		return nil, 0, errors.New("the URL's port is not valid")
	}
	return u, uint16(n), nil
}

// run runs all probes, beginning with those that determine the others.
func (k *checker) run(ctx context.Context) {
	page := check.Way{Transport: check.TLS, Port: k.target.HTTPS}
	k.results.Run(ctx, append(k.target.Base(), check.Probe{
		ID: "http", Way: &page, Needs: []string{fmt.Sprintf("tls-tls-%d", page.Port)}, Run: k.http,
	})...)
	if !k.results.OK("http") { // try an appliance's default ports instead
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

// http asks the appliance for what a client must know.
func (k *checker) http(ctx context.Context) (_ check.Values, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	began := time.Now()
	if k.info, err = client.GetInfo(ctx, k.dialer.HTTP, k.dialer.Server); err != nil {
		return nil, notAppliance(err)
	}
	if k.info.Version != 1 || k.info.Rounds < code.MinRounds || k.info.Rounds > code.MaxRounds {
		return nil, check.Failure{Reason: check.NotAppliance,
			Err: errors.New("this is not the answer of an appliance")}
	}
	// Ports that are not reported are not served, except for the page's.
	k.target.Ports = check.Ports{UDP: k.info.TURN.UDP, TCP: k.info.TURN.TCP, TLS: k.info.TURN.TLS}
	if !slices.Contains(k.target.Ports.TLS, k.target.HTTPS) {
		k.target.Ports.TLS = append(k.target.Ports.TLS, k.target.HTTPS)
	}
	if k.target.KeyFrom == "" && len(k.info.Key) > 0 {
		k.target.Key, k.target.KeyFrom = k.info.Key, check.FromInfo
	}
	return check.Values{"answer_ms": float64(time.Since(began).Microseconds()) / 1000}, nil
}

// notAppliance blames the appliance for err, unless it is an error of the network.
func notAppliance(err error) error {
	if _, ok := errors.AsType[*url.Error](err); ok {
		return err
	}
	return check.Failure{Reason: check.NotAppliance, Err: err}
}

// join uses the code and takes a credential.
func (k *checker) join(ctx context.Context) (check.Values, error) {
	keys, err := k.code.Derive(k.info.Salt, k.info.Rounds)
	if err != nil {
		return nil, err
	}
	k.signaling = client.Check{Dialer: k.dialer, Keys: keys}
	b, err := k.signaling.Join(ctx)
	if _, answered := errors.AsType[*protocol.Error](err); answered {
		return nil, check.Failure{Reason: check.CodeRefused, Err: err}
	}
	if err != nil {
		return nil, notAppliance(err)
	}
	if key := b.RoomKey; b.Welcome.Seat == "test" && k.target.KeyFrom != check.FromFlag &&
		key != (seal.RoomKey{}) {
		k.target.Key, k.target.KeyFrom = bytes.Clone(key[:]), check.FromCode
	}
	k.ice = b.ICE
	return check.Values{"seat": b.Welcome.Seat, "until": b.Welcome.Closes.UTC().Format(time.RFC3339)}, nil
}

// credential takes the credential that the code gives, if it gives one immediately.
func (k *checker) credential(context.Context) (check.Values, error) {
	if k.ice == nil {
		return nil, check.Failure{Reason: check.NotAdmitted,
			Err: errors.New("a patient's seat only gets a relay when the doctor lets it in: use " +
				"the doctor's code or a test code")}
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
	held, err := k.signaling.HoldSocket(ctx, k.times.socket)
	return heldFor(held, err)
}

func (k *checker) poll(ctx context.Context) (check.Values, error) {
	held, err := k.signaling.HoldPoll(ctx, k.times.poll)
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

// plan is the firewall's table as far as the client knows it.
func (k *checker) plan(now time.Time) (firewall.Plan, error) {
	c := config.Default()
	c.Name = k.target.Host
	listeners := func(ports []uint16) (list []string) {
		for _, port := range ports {
			list = append(list, fmt.Sprintf(":%d", port))
		}
		return list
	}
	others := slices.DeleteFunc(slices.Clone(k.target.Ports.TLS), func(port uint16) bool {
		return port == k.target.HTTPS
	})
	c.Listen.HTTPS = fmt.Sprintf(":%d", k.target.HTTPS)
	c.Listen.TURNUDP, c.Listen.TURNTCP = listeners(k.target.Ports.UDP), listeners(k.target.Ports.TCP)
	c.Listen.TURNTLS = listeners(others)
	return firewall.New(c, firewall.Site{Addresses: k.target.Addresses(), AsOf: now})
}
