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
	Dependent    Reason = "dependent"     // another probe that it needs did not succeed
	NoAddress    Reason = "no-address"    // the name has no address here
	Silence      Reason = "silence"       // nothing came back: it is dropped on the way
	Refused      Reason = "refused"       // it was refused, by a firewall or since nobody listens
	Unreachable  Reason = "unreachable"   // there is no route
	ProxyRefused Reason = "proxy-refused" // the proxy does not connect to there
	ProxyAuth    Reason = "proxy-auth"    // the proxy wants a user and password
	ProxyDown    Reason = "proxy-down"    // the proxy cannot be reached
	Cut          Reason = "cut"           // the connection was ended on the way
	NoTLS        Reason = "no-tls"        // something else than TLS answered
	Untrusted    Reason = "untrusted"     // this machine does not trust who issued the certificate
	WrongName    Reason = "wrong-name"    // the certificate is for another name
	Expired      Reason = "expired"       // the certificate, or this machine's clock
	Unusable     Reason = "unusable"      // no browser accepts the certificate
	Intercepted  Reason = "intercepted"   // the certificate is not the appliance's own
	NoReference  Reason = "no-reference"  // nothing says which certificate is the appliance's own
	NotAppliance Reason = "not-appliance" // something else answered
	CodeRefused  Reason = "code-refused"  // the appliance does not take the code
	NotAdmitted  Reason = "not-admitted"  // the code's seat waits for the doctor
	NoUpgrade    Reason = "no-upgrade"    // the WebSocket was not opened
	RelayRefused Reason = "relay-refused" // the relay answered with an error
	NoEcho       Reason = "no-echo"       // an allocation was made, but no packet came back
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

// blocks reports whether who opens a way in a firewall may mend it. Through a proxy that is
// down or asks who comes nothing is tried, and whoever shows a certificate or refuses an
// allocation was reached.
func (r Reason) blocks() bool {
	return !slices.Contains([]Reason{ProxyAuth, ProxyDown, Untrusted, WrongName, Expired, Unusable, Intercepted, RelayRefused}, r)
}

// skipped says that a probe could not be tried.
type skipped struct{ reason Reason }

func (s skipped) Error() string { return string(s.reason) }

// Skip returns the error of a probe that could not be tried.
func Skip(reason Reason) error { return skipped{reason} }

// ReasonOf finds the reason in an error that comes from a probe.
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
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
		return Unreachable // a firewall on this machine says EPERM
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return Cut
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), ok && timeout.Timeout():
		return Silence
	}
	return Other
}
