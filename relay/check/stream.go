package check

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"net"
	"strconv"
	"time"
)

// Stream connects to the TCP port of a way.
func (t *Target) Stream(w Way) Probe {
	way := w.stream()
	return Probe{ID: way.id("connect"), Way: &w, After: []string{"dns"},
		Run: func(ctx context.Context) (Values, error) {
			values := Values{}
			if proxy, _ := t.proxyFor(net.JoinHostPort(t.Host, strconv.Itoa(int(w.Port)))); proxy != nil {
				values["proxy"] = proxy.Host // without the URL's user and password
			} else if len(t.Addresses()) == 0 {
				return nil, Skip(NoAddress)
			}
			began := time.Now()
			conn, err := t.dial(ctx, w.Port)
			if err != nil {
				return values, err
			}
			conn.Close()
			values["connect_ms"] = milliseconds(time.Since(began))
			return values, nil
		}}
}

// TLS makes a TLS handshake and judges the chain as a browser would.
func (t *Target) TLS(w Way) Probe {
	return Probe{ID: w.id("tls"), Way: &w, Needs: []string{w.stream().id("connect")},
		Run: func(ctx context.Context) (Values, error) {
			conn, err := t.dial(ctx, w.Port)
			if err != nil {
				return nil, err
			}
			defer conn.Close()
			// The chain is verified below, so that it is known in any case.
			settings := t.tlsConfig()
			settings.InsecureSkipVerify = true
			ctx, cancel := context.WithTimeout(ctx, answerTime)
			defer cancel()
			began := time.Now()
			secure := tls.Client(conn, settings)
			if err := secure.HandshakeContext(ctx); err != nil {
				return nil, err
			}
			state := secure.ConnectionState()
			leaf := state.PeerCertificates[0]
			t.mu.Lock()
			if t.leaves == nil {
				t.leaves = map[uint16]*x509.Certificate{}
			}
			t.leaves[w.Port] = leaf
			t.mu.Unlock()
			values := Values{
				"handshake_ms": milliseconds(time.Since(began)),
				"version":      tls.VersionName(state.Version),
				"issuer":       leaf.Issuer.String(),
				"not_before":   leaf.NotBefore.UTC().Format(time.RFC3339),
				"not_after":    leaf.NotAfter.UTC().Format(time.RFC3339),
				"fingerprint":  hex.EncodeToString(Fingerprint(leaf)),
			}
			if t.Insecure {
				return values, nil
			}
			options := x509.VerifyOptions{DNSName: t.Host, Roots: t.Roots, Intermediates: x509.NewCertPool()}
			for _, certificate := range state.PeerCertificates[1:] {
				options.Intermediates.AddCert(certificate)
			}
			_, err = leaf.Verify(options)
			var refused error
			if t.Judge != nil {
				values["findings"], refused = t.Judge(state.PeerCertificates)
			}
			switch reason := ReasonOf(err); {
			case err != nil && t.KeyFrom == FromFlag && !bytes.Equal(t.Key, Fingerprint(leaf)):
				// An interceptor is one even if this machine does not trust it.
				return values, Failure{Intercepted, err}
			case reason == WrongName, reason == Expired:
				return values, Failure{reason, err}
			case refused != nil:
				return values, Failure{Unusable, refused}
			case err != nil:
				return values, Failure{Untrusted, err}
			}
			return values, nil
		}}
}

// Certificate reports whether the certificate shown is the appliance's own.
func (t *Target) Certificate(w Way) Probe {
	return Probe{ID: w.id("own"), Way: &w, Needs: []string{w.id("tls")}, After: []string{"code"},
		Run: func(context.Context) (Values, error) {
			t.mu.Lock()
			leaf := t.leaves[w.Port]
			t.mu.Unlock()
			if len(t.Key) == 0 {
				return nil, Skip(NoReference)
			}
			return Values{"issuer": leaf.Issuer.String(), "reference": string(t.KeyFrom)}, isFor(t.Key, leaf)
		}}
}
