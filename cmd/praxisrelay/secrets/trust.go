package secrets

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"

	"praxisrelay/config"
)

// Trusting returns an HTTP client that trusts the certificates in a PEM file, or the system's if no
// file is given. With insecure it trusts any certificate.
func Trusting(file string, insecure bool) (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: insecure}
	if file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if pem, err = config.PlainText(pem); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s contains no certificate: a PEM file is expected", file)
		}
	}
	return &http.Client{Transport: transport}, nil
}
