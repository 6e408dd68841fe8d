package check

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
)

// Reason names why a probe failed or was skipped.
type Reason string

// The reasons.
const (
	Dependent    Reason = "dependent"     // a probe that it needs did not succeed
	NoAddress    Reason = "no-address"    // the name has no address here
	Silence      Reason = "silence"       // nothing came back: packets are dropped on the way
	Refused      Reason = "refused"       // refused, by a firewall or because nothing listens
	Unreachable  Reason = "unreachable"   // no route
	ProxyRefused Reason = "proxy-refused" // the proxy refuses to connect to this port
	ProxyAuth    Reason = "proxy-auth"    // the proxy wants a user and password
	ProxyDown    Reason = "proxy-down"    // the proxy cannot be reached
	Cut          Reason = "cut"           // the connection was cut on the way
	NoTLS        Reason = "no-tls"        // the answer is not TLS
	Untrusted    Reason = "untrusted"     // this machine does not trust the certificate's issuer
	WrongName    Reason = "wrong-name"    // the certificate is for another name
	Expired      Reason = "expired"       // the certificate has expired, or this machine's clock is wrong
	Unusable     Reason = "unusable"      // no browser accepts the certificate
	Intercepted  Reason = "intercepted"   // the certificate is not the appliance's own
	NoReference  Reason = "no-reference"  // the appliance's own certificate is not known
	NotAppliance Reason = "not-appliance" // the answer is not from an appliance
	CodeRefused  Reason = "code-refused"  // the appliance does not accept the code
	NotAdmitted  Reason = "not-admitted"  // the code's seat is still waiting for the doctor
	NoUpgrade    Reason = "no-upgrade"    // the WebSocket was not opened
	RelayRefused Reason = "relay-refused" // the relay answered with an error
	NoEcho       Reason = "no-echo"       // allocated, but no packet came back
	NoICE        Reason = "no-ice"        // the ICE agents did not find each other
	Poor         Reason = "poor"          // too slow or too lossy for a picture
	Other        Reason = "other"
)

// Failure is an error with a Reason.
type Failure struct {
	Reason Reason
	Err    error
}

func (f Failure) Error() string { return f.Err.Error() }
func (f Failure) Unwrap() error { return f.Err }

func fail(reason Reason, format string, args ...any) error {
	return Failure{reason, fmt.Errorf(format, args...)}
}

// blocks reports whether opening a way in a firewall may help. It cannot if the proxy is down or
// requires authentication, since then nothing else was tried, nor if a certificate was shown or an
// allocation refused, since then the way is open.
func (r Reason) blocks() bool {
	return !slices.Contains([]Reason{
		ProxyAuth, ProxyDown, Untrusted, WrongName, Expired, Unusable, Intercepted, RelayRefused,
	}, r)
}

// skipped is the error of a probe that could not be tried.
type skipped struct{ reason Reason }

func (s skipped) Error() string { return string(s.reason) }

// Skip returns the error of a probe that could not be tried.
func Skip(reason Reason) error { return skipped{reason} }

// ReasonOf returns the reason for a probe's error.
func ReasonOf(err error) Reason {
	if failure, ok := errors.AsType[Failure](err); ok {
		return failure.Reason
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return WrongName
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return Expired
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return NoTLS
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return Untrusted
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return Untrusted
	}
	if _, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return Untrusted
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return NoAddress
	}
	switch timeout, ok := errors.AsType[net.Error](err); {
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH),
		errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
		return Unreachable // EPERM is from a firewall on this machine
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return Cut
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		ok && timeout.Timeout():
		return Silence
	}
	return Other
}
