package appliance_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/config"
	"praxisrelay/relay/certificate/certificatetest"
)

const (
	acmeName = "relay.example.org"
	eabKey   = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
)

// acmeDaemon is a daemon whose certificate comes from an authority.
type acmeDaemon struct {
	*apptest.Daemon
	turnTLS string // its address
}

// configureACME writes a configuration for an authority. lines are added to its section listen.
func configureACME(t *testing.T, p *certificatetest.Pebble, lines string) (file string) {
	t.Helper()
	file, folder := apptest.WriteConfig(t)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	eab := filepath.Join(folder, "eab.key")
	if err := os.WriteFile(eab, []byte(eabKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(
		"name: 127.0.0.1", "name: "+acmeName,
		"https: 127.0.0.1:0", "https: "+
			net.JoinHostPort(p.Address, strconv.Itoa(certificatetest.TLSPort))+lines,
		"tls: {certificate: "+folder+"/cert.pem, key: "+folder+"/key.pem}",
		fmt.Sprintf("tls: {acme: {directory: %q, ca_file: %s, eab_key_id: kid-1, eab_key_file: %s, cache: %s/acme}}", p.Directory, p.CAFile, eab, folder),
	).Replace(string(text))
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func startACME(t *testing.T, file string) (d acmeDaemon) {
	t.Helper()
	d.Daemon = apptest.Start(t, apptest.Program("serve", "--config", file), true, func(line string) bool {
		_, rest, ok := strings.Cut(line, "msg=serving url=https://"+acmeName)
		if ok {
			_, rest, _ = strings.Cut(rest, "turn_tls=[")
			d.turnTLS, _, _ = strings.Cut(rest, "]")
		}
		return ok
	})
	return d
}

// visit connects as a client that trusts the authority, with or without sending the name.
func visit(address string, roots *x509.CertPool, sni bool) (tls.ConnectionState, error) {
	c := &tls.Config{RootCAs: roots, ServerName: acmeName}
	if !sni {
		c = &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error {
			between := x509.NewCertPool()
			for _, issuer := range s.PeerCertificates[1:] {
				between.AddCert(issuer)
			}
			_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: acmeName, Roots: roots,
				Intermediates: between})
			return err
		}}
	}
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", address, c)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	return conn.ConnectionState(), nil
}

// waitForCertificate returns the first certificate served that is not other.
func waitForCertificate(t *testing.T, address string, p *certificatetest.Pebble, other string) string {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-ticker.C {
		state, err := visit(address, p.Roots(), true)
		if err == nil {
			if serial := state.PeerCertificates[0].SerialNumber.String(); serial != other {
				return serial
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("no new certificate: %v\n%s", err, p.Log())
		}
	}
}

// TestServeWithACME checks that a daemon gets its certificate on the HTTPS port, has it renewed,
// and serves it immediately after a restart while the authority is down.
func TestServeWithACME(t *testing.T) {
	t.Parallel()
	p := certificatetest.NewPebble(t, certificatetest.Options{EAB: map[string]string{"kid-1": eabKey},
		Lifetime: 48 * time.Second})
	p.Start(t)
	https := net.JoinHostPort(p.Address, strconv.Itoa(certificatetest.TLSPort))
	file := configureACME(t, p, "")
	d := startACME(t, file)
	first := waitForCertificate(t, https, p, "")
	for _, address := range []string{https, d.turnTLS} {
		if _, err := visit(address, p.Roots(), false); err != nil {
			t.Errorf("a client that sends no name, at %s: %v", address, err)
		}
		conn, err := tls.Dial("tcp", address,
			&tls.Config{RootCAs: p.Roots(), ServerName: acmeName, NextProtos: []string{"acme-tls/1"}})
		if err == nil {
			conn.Close()
			t.Errorf("a validation is answered at %s although none is running", address)
		}
	}
	page := http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: p.Roots()}, DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, https)
		},
	}}
	answer, err := page.Get("https://" + acmeName + "/v1/info")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("the page: %s", answer.Status)
	}
	renewed := waitForCertificate(t, https, p, first)

	d.Stop(t)
	if log := d.Stderr.String(); strings.Contains(log, "level=ERROR") {
		t.Errorf("the log: %s", log)
	}
	p.Stop()
	again := startACME(t, file)
	if state, err := visit(https, p.Roots(), true); err != nil ||
		state.PeerCertificates[0].SerialNumber.String() != renewed {
		t.Errorf("after a restart, with the authority down: %v", err)
	}
	again.Stop(t)
}

// TestServeWithHTTP01 checks that the plain HTTP port answers the authority, and redirects everyone
// else to the page and nowhere else.
func TestServeWithHTTP01(t *testing.T) {
	t.Parallel()
	p := certificatetest.NewPebble(t, certificatetest.Options{EAB: map[string]string{"kid-1": eabKey}})
	p.Start(t)
	plain := net.JoinHostPort(p.Address, strconv.Itoa(certificatetest.HTTPPort))
	startACME(t, configureACME(t, p, "\n  http: "+plain))
	waitForCertificate(t, net.JoinHostPort(p.Address, strconv.Itoa(certificatetest.TLSPort)), p, "")
	if !strings.Contains(p.Log(), "/.well-known/acme-challenge/") {
		t.Errorf("the authority did not come by HTTP:\n%s", p.Log())
	}
	home := config.PageURL(acmeName, certificatetest.TLSPort)
	for request, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: " + acmeName:                home,
		"GET /?policy=relay HTTP/1.1\r\nHost: " + plain:      home + "?policy=relay",
		"HEAD /a/b HTTP/1.1\r\nHost: www.example.com":        home + "a/b",
		"GET //www.example.com/ HTTP/1.1\r\nHost: x":         home + "www.example.com/",
		"GET http://www.example.com/a HTTP/1.1\r\nHost: x":   home + "a",
		"GET x:.example.com/ HTTP/1.1\r\nHost: x":            home + ".example.com/",
		"GET /.well-known/acme-challenge/t HTTP/1.0\r\nX: y": home + ".well-known/acme-challenge/t",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0":    "",
		"CONNECT www.example.com:443 HTTP/1.1\r\nHost: x":    "",
	} {
		conn, err := net.Dial("tcp", plain)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.WriteString(conn, request+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%q: %v", request, err)
		}
		redirected := answer.StatusCode == http.StatusFound
		if got := answer.Header.Get("Location"); got != want || redirected != (want != "") || !answer.Close {
			t.Errorf("%q: %s to %q, want %q", request, answer.Status, got, want)
		}
		conn.Close()
	}
}
