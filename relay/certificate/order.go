package certificate

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"golang.org/x/crypto/acme"
)

// orderTime bounds an attempt to have a certificate issued.
const orderTime = 5 * time.Minute

// way is a method by which the authority verifies that the name leads here.
type way struct {
	challenge string // its name in the protocol
	port      string // to which the authority connects (RFC 8737, RFC 8555)
}

var (
	tlsALPN = way{"tls-alpn-01", "443"}
	http01  = way{"http-01", "80"}
)

// challenge is the answer to the authority: a certificate, or a file.
type challenge struct {
	certificate *tls.Certificate
	path, body  string
}

// obtain requests a certificate for the store's name and a new key, and returns the key and the
// chain as PEM.
func (a *ACME) obtain(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, orderTime)
	defer cancel()
	client, err := a.account(ctx)
	if err != nil {
		return nil, err
	}
	order, err := client.AuthorizeOrder(ctx, acme.DomainIDs(a.store.name))
	if err != nil {
		return nil, fmt.Errorf("the order for %s: %w", a.store.name, err)
	}
	for _, url := range order.AuthzURLs {
		if err := a.authorize(ctx, client, url); err != nil {
			return nil, err
		}
	}
	if order, err = client.WaitOrder(ctx, order.URI); err != nil {
		return nil, fmt.Errorf("the order for %s: %w", a.store.name, err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.CertificateRequest{DNSNames: []string{a.store.name}}
	request, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		return nil, err
	}
	chain, _, err := client.CreateCertFromOrder(ctx, order, request, true)
	if err != nil {
		return nil, fmt.Errorf("the certificate for %s: %w", a.store.name, err)
	}
	var text bytes.Buffer
	if err := encodeKey(&text, key); err != nil {
		return nil, err
	}
	for _, der := range chain {
		if err := pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
			return nil, err
		}
	}
	return text.Bytes(), nil
}

// account returns a client for the account, which is created if there is none. An existing account
// is not bound again: its key often works only once.
func (a *ACME) account(ctx context.Context) (*acme.Client, error) {
	client := &acme.Client{
		Key: a.key, DirectoryURL: a.options.Directory, HTTPClient: a.http, UserAgent: "praxisrelay",
		RetryBackoff: backoff,
	}
	directory, err := client.Discover(ctx)
	if err != nil {
		return nil, fmt.Errorf("the directory cannot be read: %w", err)
	}
	if _, err = client.GetReg(ctx, ""); err == nil {
		return client, nil
	}
	if !errors.Is(err, acme.ErrNoAccount) {
		return nil, fmt.Errorf("the account: %w", err)
	}
	account := new(acme.Account)
	if a.options.Email != "" {
		account.Contact = []string{"mailto:" + a.options.Email}
	}
	if a.options.EABKeyID != "" {
		account.ExternalAccountBinding = &acme.ExternalAccountBinding{KID: a.options.EABKeyID,
			Key: a.options.EABKey}
	} else if directory.ExternalAccountRequired {
		return nil, errors.New("the authority requires external account binding: " +
			"set tls.acme.eab_key_id and tls.acme.eab_key_file")
	}
	if _, err = client.Register(ctx, account, acme.AcceptTOS); err != nil {
		return nil, fmt.Errorf("no account was created (tls.acme.email, tls.acme.eab_key_id): %w", err)
	}
	return client, nil
}

// authorize proves to the authority that the name leads here. After a failure the next try uses
// another way, if there is one.
func (a *ACME) authorize(ctx context.Context, client *acme.Client, url string) error {
	authorization, err := client.GetAuthorization(ctx, url)
	if err != nil {
		return fmt.Errorf("the authorization for %s: %w", a.store.name, err)
	}
	if authorization.Status == acme.StatusValid {
		return nil
	}
	w, offer := a.choose(authorization.Challenges)
	if offer == nil {
		return fmt.Errorf("the authority offers no usable way to validate %s: serve listen.http on port 80 too", a.store.name)
	}
	answer, err := a.answer(client, w, offer.Token)
	if err != nil {
		return err
	}
	a.validated.Store(answer)
	defer a.validated.Store(nil)
	if _, err = client.Accept(ctx, offer); err == nil {
		_, err = client.WaitAuthorization(ctx, url)
	}
	if err != nil {
		a.ways = append(slices.DeleteFunc(a.ways, func(other way) bool { return other == w }), w)
		return fmt.Errorf("%s could not be validated by %s: let the authority reach its port %s from outside: %w",
			a.store.name, w.challenge, w.port, err)
	}
	return nil
}

// choose returns the first of our ways that the authority offers, and the offer; nil: none.
func (a *ACME) choose(offers []*acme.Challenge) (way, *acme.Challenge) {
	for _, w := range a.ways {
		for _, offer := range offers {
			if offer.Type == w.challenge {
				return w, offer
			}
		}
	}
	return way{}, nil
}

func (a *ACME) answer(client *acme.Client, w way, token string) (*challenge, error) {
	if w == http01 {
		body, err := client.HTTP01ChallengeResponse(token)
		return &challenge{path: client.HTTP01ChallengePath(token), body: body}, err
	}
	certificate, err := client.TLSALPN01ChallengeCert(token, a.store.name)
	return &challenge{certificate: &certificate}, err
}

// backoff is for requests within an attempt: two more tries for what may soon pass, such as a used
// nonce. Everything else waits for the next attempt.
func backoff(tries int, _ *http.Request, response *http.Response) time.Duration {
	if tries > 2 || response.StatusCode == http.StatusTooManyRequests {
		return 0
	}
	return time.Duration(tries) * time.Second
}

// retryAfter is how long the authority wants to be left alone; 0 if it does not say.
func retryAfter(err error) time.Duration {
	if refused := new(acme.Error); errors.As(err, &refused) {
		pause, _ := acme.RateLimit(refused)
		return pause
	}
	return 0
}
