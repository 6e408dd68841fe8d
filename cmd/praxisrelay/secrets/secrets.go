// Package secrets reads the configuration and the files that it names, from wherever the daemon
// gets them, and reports every mistake in them.
//
//	source.go        where files come from: the disk, the service manager, a reload
//	secrets.go       the TURN secrets, the pepper, the certificate's pair, ACME's account
//	certificate.go   problems of a certificate that the daemon accepts anyway
//	pepper_fit.go    whether the pepper fits the codes in the registry
//	new.go           fresh secrets and a self-signed certificate
//	trust.go         certificates that a command trusts
package secrets

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"praxisrelay/config"
	"praxisrelay/relay/certificate"
	"praxisrelay/relay/credential"
	"praxisrelay/signal/appointment"
)

// Set holds the contents of the files that the configuration names.
type Set struct {
	TURN    [][]byte
	Peppers [][]byte
	Pair    Pair // empty with ACME
	ACME    certificate.ACMEOptions
}

// Pair is a certificate chain and its key, both in PEM.
type Pair struct{ Chain, Key []byte }

// Read reads the files that the configuration names, and reports every mistake.
func Read(c config.Config, read Source, now time.Time) (s Set, err error) {
	var problems []error
	note := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	s.TURN, err = readTURNSecrets(c, read)
	note(err)
	s.Peppers, err = ReadPeppers(c.Signal.PepperFile, read)
	note(err)
	if c.TLS.ACME.Directory == "" {
		s.Pair, err = ReadCertificate(c, read, now)
	} else {
		s.ACME, err = readACME(c, read)
	}
	note(err)
	if len(problems) == 0 {
		note(s.distinct())
	}
	return s, errors.Join(problems...)
}

// distinct reports a secret that serves two purposes.
func (s Set) distinct() error {
	for i, secret := range s.TURN {
		if slices.ContainsFunc(s.Peppers, func(pepper []byte) bool { return bytes.Equal(pepper, secret) }) {
			return fmt.Errorf("signal.pepper_file: holds the same secret as "+
				"relay.secret_files[%d]: make a separate one", i)
		}
	}
	return nil
}

func readTURNSecrets(c config.Config, read Source) (secrets [][]byte, err error) {
	var problems []error
	for i, file := range c.Relay.SecretFiles {
		secret, err := ReadSecret(fmt.Sprintf("relay.secret_files[%d]", i), file, credential.MinSecret, read)
		problems = append(problems, err)
		secrets = append(secrets, secret)
	}
	return secrets, errors.Join(problems...)
}

// ReadPeppers reads a file of one line, or of two while a pepper is being replaced.
func ReadPeppers(file string, read Source) (peppers [][]byte, err error) {
	const key = "signal.pepper_file"
	text, err := ReadSecret(key, file, appointment.MinPepper, read)
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(text) {
		peppers = append(peppers, bytes.TrimSpace(line))
	}
	if _, err := appointment.NewPepper(peppers...); err != nil {
		return nil, fmt.Errorf("%s: %s: %w", key, file, err)
	}
	return peppers, nil
}

// ReadSecret reads a file and trims it. Its errors never repeat the contents.
func ReadSecret(key, file string, least int, read Source) ([]byte, error) {
	make := fmt.Sprintf("make one with: (umask 077; openssl rand -base64 32 > %s)", file)
	secret, err := readPrivate(key, file, make, read)
	if err == nil && len(secret) < least {
		err = fmt.Errorf("%s: %s holds %d characters, at least %d are needed: %s", key, file,
			len(secret), least, make)
	}
	if err != nil {
		return nil, err
	}
	return secret, nil
}

// readPrivate reads a file that not everybody may read, and trims it.
func readPrivate(key, file, remedy string, read Source) ([]byte, error) {
	text, err := read(file, true)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %s does not exist: %s", key, file, remedy)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return bytes.TrimSpace(text), nil
}

// readACME reads the files for the account at the authority and for trusting its directory.
func readACME(c config.Config, read Source) (o certificate.ACMEOptions, err error) {
	o.ACME, o.HTTP = c.TLS.ACME, c.Listen.HTTP != ""
	if o.EABKeyFile != "" {
		const key = "tls.acme.eab_key_file"
		text, err := readPrivate(key, o.EABKeyFile, "write the authority's key into it", read)
		if err != nil {
			return o, err
		}
		o.EABKey, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(string(text), "="))
		if err != nil || len(o.EABKey) == 0 {
			return o, fmt.Errorf("%s: %s is not base64url: write the key as the authority gave it", key,
				o.EABKeyFile)
		}
	}
	if o.CAFile != "" {
		text, err := read(o.CAFile, false)
		if err != nil {
			return o, fmt.Errorf("tls.acme.ca_file: %w", err)
		}
		if o.Roots = x509.NewCertPool(); !o.Roots.AppendCertsFromPEM(text) {
			return o, fmt.Errorf("tls.acme.ca_file: %s contains no PEM certificate", o.CAFile)
		}
	}
	return o, nil
}

// ReadPair reads the certificate's chain and its key, both in PEM.
func ReadPair(c config.Config, read Source) (chain, key []byte, err error) {
	if chain, err = read(c.TLS.Certificate, false); err != nil {
		return nil, nil, fmt.Errorf("tls.certificate: %w", err)
	}
	if key, err = read(c.TLS.Key, false); err != nil {
		return nil, nil, fmt.Errorf("tls.key: %w", err)
	}
	return chain, key, nil
}

// ReadCertificate is ReadPair for the start, when there is no earlier pair to keep using.
func ReadCertificate(c config.Config, read Source, now time.Time) (p Pair, err error) {
	if p.Chain, p.Key, err = ReadPair(c, read); err != nil {
		return p, err
	}
	if err := certificate.Check(c.Name, p.Chain, p.Key, now); err != nil {
		err = fmt.Errorf("tls.certificate: %s: %w", c.TLS.Certificate, err)
		if p.validFromStart(c.Name) {
			err = Untimely{err}
		}
		return p, err
	}
	return p, nil
}

// Untimely is the error of a certificate that is expired or not valid yet, but otherwise good.
type Untimely struct{ error }

func (u Untimely) Unwrap() error { return u.error }

// validFromStart reports whether the pair is good at the time when its certificate begins.
func (p Pair) validFromStart(name string) bool {
	pair, err := tls.X509KeyPair(p.Chain, p.Key)
	return err == nil && certificate.Check(name, p.Chain, p.Key, pair.Leaf.NotBefore) == nil
}

// Changes returns the configuration keys whose files now hold something else.
func (s Set) Changes(next Set) (keys []string) {
	if !slices.EqualFunc(s.TURN, next.TURN, bytes.Equal) {
		keys = append(keys, "relay.secret_files")
	}
	if !bytes.Equal(s.Pair.Chain, next.Pair.Chain) {
		keys = append(keys, "tls.certificate")
	}
	if !slices.EqualFunc(s.Peppers, next.Peppers, bytes.Equal) {
		keys = append(keys, "signal.pepper_file")
	}
	return keys
}
