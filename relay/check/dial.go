package check

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/net/idna"
)

// How long a connection may take to open, and an answer on it to arrive.
const (
	connectTime = 5 * time.Second
	answerTime  = 8 * time.Second
)

// Proxy returns the proxy for a URL; nil: none. http.Transport uses the same type.
type Proxy func(*http.Request) (*url.URL, error)

// dial connects over TCP, through the proxy if there is one, as browsers do for TURN.
func (t *Target) dial(ctx context.Context, port uint16) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	address := net.JoinHostPort(t.Host, strconv.Itoa(int(port)))
	proxy, err := t.proxyFor(address)
	if err != nil {
		return nil, err
	}
	if proxy != nil {
		return throughProxy(ctx, proxy, address)
	}
	return new(net.Dialer).DialContext(ctx, "tcp"+string(t.Family), address)
}

// dialWay opens the connection below TURN for a way over TCP or TLS.
func (t *Target) dialWay(ctx context.Context, w Way) (net.Conn, error) {
	conn, err := t.dial(ctx, w.Port)
	if err != nil || w.Transport != TLS {
		return conn, err
	}
	secure := tls.Client(conn, t.tlsConfig())
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

func (t *Target) proxyFor(address string) (*url.URL, error) {
	if t.Proxy == nil {
		return nil, nil
	}
	return t.Proxy(&http.Request{URL: &url.URL{Scheme: "https", Host: address}})
}

// throughProxy asks an HTTP proxy for a tunnel (RFC 9110, section 9.3.6).
func throughProxy(ctx context.Context, proxy *url.URL, address string) (_ net.Conn, err error) {
	if proxy.Scheme != "http" && proxy.Scheme != "https" {
		return nil, fail(ProxyDown, "proxies with the scheme %q are not supported: use http or https",
			proxy.Scheme)
	}
	port := proxy.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[proxy.Scheme]
	}
	name, err := idna.Lookup.ToASCII(proxy.Hostname())
	if err != nil {
		name = proxy.Hostname() // a local name, or an address
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(name, port))
	if err != nil {
		return nil, Failure{ProxyDown, fmt.Errorf("the proxy cannot be reached: %w", err)}
	}
	defer func() {
		if err != nil {
			conn.Close()
		}
	}()
	defer closeOn(ctx, conn)()
	if proxy.Scheme == "https" {
		secure := tls.Client(conn, &tls.Config{ServerName: name})
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, Failure{ProxyDown, fmt.Errorf("the proxy cannot be reached: %w", err)}
		}
		conn = secure
	}
	request := &http.Request{
		Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{},
	}
	if user := proxy.User; user != nil {
		password, _ := user.Password()
		basic := base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
		request.Header.Set("Proxy-Authorization", "Basic "+basic)
	}
	if err := request.Write(conn); err != nil {
		return nil, Failure{ProxyDown, err}
	}
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, request)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, fail(ProxyRefused, "the proxy does not answer")
	case err != nil:
		return nil, Failure{ProxyRefused, fmt.Errorf("the proxy's answer is not HTTP: %w", err)}
	case response.StatusCode == http.StatusProxyAuthRequired:
		return nil, fail(ProxyAuth, "the proxy wants a user and password: write them into its URL")
	case response.StatusCode != http.StatusOK:
		return nil, fail(ProxyRefused, "the proxy answered %s", response.Status)
	case reader.Buffered() > 0:
		return nil, errors.New("the proxy sent data before it was asked")
	}
	return conn, nil
}

// closeOn closes a connection when ctx is done, unless stop is called first.
func closeOn(ctx context.Context, conn net.Conn) (stop func() bool) {
	return context.AfterFunc(ctx, func() { conn.Close() })
}
