// Package setup is praxisrelay init: it looks around, asks, and writes the configuration and
// the secrets of a new appliance.
//
//	init.go           the command and its flags
//	ask.go            what it asks somebody at a terminal
//	kept.go           what there is already, and how it differs
//	surroundings.go   what it finds out: the public address, the name, ports
//	clock.go          whether the clock is right
//	write.go, create_*.go   files, made whole or not at all
//	report.go         what it says at the end
package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/cmd/praxisrelay/terminal"
	"praxisrelay/config"
	"praxisrelay/docs"
)

const letsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

// setup is what init has to know.
type setup struct {
	file             string // the configuration
	name             string
	certificate, key string
	acme             config.ACME
	public           string // an address, auto, or nothing
	stun             string
	kept             bool // there is a configuration already
}

// Command is praxisrelay init.
func Command() *cobra.Command {
	var s setup
	var unattended bool
	c := &cobra.Command{
		Use:   "init",
		Short: "Write the configuration and the secrets of a new appliance, and say what else it needs",
		Long: `Write a commented configuration and its secrets, and print what firewalls must let
through, which DNS records to make, and the next command. On a terminal it asks for
what the flags leave open.

It looks for what usually goes wrong and warns of it: a NAT, ports that something else
has, a name that leads elsewhere, a clock that is off, a certificate that does not fit.
It asks no server on the internet, but for the ACME directory or the STUN server that
are named.

Nothing is overwritten. Everything is checked before anything is written; the
configuration is written last, so that with it everything is there. After a failure
what was made is taken away. Where a configuration exists it is kept: then only the
secrets that it names and that do not exist are made. Flags that say something else
than it does are an error, so nobody relies on them.

The files of the certificate, or of the EAB key, are linked to from next to the
configuration, where the service finds them: they stay where they are renewed.`,
		Example: `  sudo praxisrelay init
  sudo praxisrelay init --non-interactive --name relay.example.org --acme --acme-email it@example.org
  sudo praxisrelay init --non-interactive --name relay.example.org --public-address 203.0.113.10 \
      --cert /etc/letsencrypt/live/relay.example.org/fullchain.pem \
      --key /etc/letsencrypt/live/relay.example.org/privkey.pem`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("%q belongs to no flag: a directory is written --acme=URL", args[0])
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&s.file, "config", "/etc/praxisrelay/praxisrelay.yaml", "the configuration `file` to write; the secrets are put next to it")
	f.StringVar(&s.name, "name", "", "the DNS `name` under which clients reach the appliance")
	f.StringVar(&s.certificate, "cert", "", "the `file` of the certificate chain (PEM)")
	f.StringVar(&s.key, "key", "", "the `file` of its private key (PEM)")
	f.StringVar(&s.acme.Directory, "acme", "", "have the certificate issued and renewed instead, and accept the terms of who does; a directory other than Let's Encrypt's is written --acme=`URL`")
	f.Lookup("acme").NoOptDefVal = letsEncrypt
	f.StringVar(&s.acme.Email, "acme-email", "", "the `address` that the authority writes to")
	f.StringVar(&s.acme.CAFile, "acme-ca", "", "a `file` for all to read with the roots (PEM) for the directory's own certificate; left out: the system's")
	f.StringVar(&s.acme.EABKeyID, "eab-key-id", "", "the `name` of the key for external account binding")
	f.StringVar(&s.acme.EABKeyFile, "eab-key-file", "", "the `file` of that key, in base64url")
	f.StringVar(&s.public, "public-address", "", "the `address` that a NAT translates to this host; auto: the one that --stun says or that the name resolves to, if it is not this host's")
	f.StringVar(&s.stun, "stun", "", "a STUN server, `host:port`, to ask from which address this host is seen")
	f.BoolVar(&unattended, "non-interactive", false, "ask nothing: what is missing is an error")
	c.RunE = func(c *cobra.Command, _ []string) error {
		var ask *questions
		if !unattended && terminal.Is(c.InOrStdin()) {
			ask = newQuestions(c.Context(), c.InOrStdin(), c.ErrOrStderr())
		}
		return s.run(c.Context(), ask, c.OutOrStdout())
	}
	return c
}

// run does all of it. ask is nil where nothing is to be asked.
func (s *setup) run(ctx context.Context, ask *questions, out io.Writer) (err error) {
	if s.file, err = filepath.Abs(s.file); err != nil {
		return err
	}
	text, settings, err := s.existing()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		text, settings, err = s.fresh(ctx, ask)
	case err == nil:
		err = s.differing(ctx, settings)
	}
	if err != nil {
		return err
	}
	missing, err := missingSecrets(settings)
	if err != nil {
		return err
	}
	warnings := s.warnings(ctx, settings)
	for _, warning := range warnings {
		fmt.Fprintf(out, "warning: %s\n", terminal.Printable(warning.Error()))
	}
	made, err := s.write(text, settings, missing)
	if err != nil {
		return err
	}
	if err := s.report(ctx, out, settings, made, len(warnings)); err != nil {
		return fmt.Errorf("%w; everything is made: run init again to be told what comes next", err)
	}
	return nil
}

// existing reads the configuration that is there. It is not written again: the text
// is empty.
func (s *setup) existing() (text []byte, settings config.Config, err error) {
	if _, err := os.Lstat(s.file); err != nil {
		return nil, settings, err
	}
	s.kept = true
	if settings, err = config.Load(s.file); err != nil {
		return nil, settings, fmt.Errorf("%s exists and is kept, but has mistakes: correct them, or move it away and run init again\n%w", s.file, err)
	}
	return nil, settings, nil
}

// fresh makes a configuration of the answers, and checks what it names.
func (s *setup) fresh(ctx context.Context, ask *questions) (text []byte, settings config.Config, err error) {
	if ask != nil {
		if err := s.askForMissing(ask); err != nil {
			return nil, settings, err
		}
	}
	for _, path := range []*string{&s.certificate, &s.key, &s.acme.CAFile, &s.acme.EABKeyFile} {
		if *path == "" {
			continue
		}
		if *path, err = filepath.Abs(*path); err != nil {
			return nil, settings, err
		}
	}
	if err := s.checkFlags(); err != nil {
		return nil, settings, err
	}
	if s.name, err = config.HostName(s.name); err != nil {
		return nil, settings, fmt.Errorf("--name: %w", err)
	}
	if s.stun != "" {
		if s.stun, err = config.HostPort(s.stun); err != nil {
			return nil, settings, fmt.Errorf("--stun: %w of a STUN server", err)
		}
	}
	public, err := s.publicAddress(ctx, ask)
	if err != nil {
		return nil, settings, err
	}
	if text, settings, err = s.configuration(public); err != nil {
		return nil, settings, err
	}
	if s.acme.Directory == "" {
		err = s.checkCertificate()
	} else if file := s.acme.EABKeyFile; file != "" {
		if _, err = os.Stat(file); err != nil {
			err = fmt.Errorf("--eab-key-file: %w", err)
		}
	}
	return text, settings, err
}

// checkFlags names all that are missing or do not go together.
func (s *setup) checkFlags() error {
	var wrong []error
	if s.name == "" {
		wrong = append(wrong, errors.New("--name is missing: give the DNS name that clients use, like relay.example.org"))
	}
	switch {
	case s.acme.Directory != "" && s.certificate+s.key != "":
		wrong = append(wrong, errors.New("--acme has the certificate issued: leave out --cert and --key"))
	case s.acme.Directory == "" && s.acme != config.ACME{}:
		wrong = append(wrong, errors.New("--acme is missing: the other flags for ACME need it"))
	case s.acme.Directory == "" && (s.certificate == "" || s.key == ""):
		wrong = append(wrong, errors.New("--cert and --key are missing: give the files of the certificate and its key, or --acme to have one issued"))
	}
	return errors.Join(wrong...)
}

// checkCertificate looks at the certificate where it is, since the links that the
// configuration names are made later.
func (s *setup) checkCertificate() error {
	c := config.Config{Name: s.name, TLS: config.TLS{Certificate: s.certificate, Key: s.key}}
	now := time.Now()
	if _, err := secrets.ReadCertificate(c, secrets.FromDisk, now); err != nil {
		return err
	}
	refused, _ := secrets.CertificateProblems(c, now)
	return errors.Join(refused...)
}

// configuration is the shipped example with what was asked for in place.
func (s *setup) configuration(public netip.Addr) ([]byte, config.Config, error) {
	folder := filepath.Dir(s.file)
	values := map[string]any{
		"name":                  s.name,
		"tls.certificate":       "",
		"tls.key":               "",
		"tls.acme.directory":    s.acme.Directory,
		"tls.acme.email":        s.acme.Email,
		"tls.acme.ca_file":      s.acme.CAFile,
		"tls.acme.eab_key_id":   s.acme.EABKeyID,
		"tls.acme.eab_key_file": "",
		"relay.secret_files":    []string{filepath.Join(folder, "turn.secret")},
		"relay.public_address":  public,
		"signal.pepper_file":    filepath.Join(folder, "pepper.secret"),
	}
	if s.acme.Directory == "" {
		values["tls.certificate"] = filepath.Join(folder, "tls", "fullchain.pem")
		values["tls.key"] = filepath.Join(folder, "tls", "privkey.pem")
	}
	if s.acme.EABKeyFile != "" {
		values["tls.acme.eab_key_file"] = filepath.Join(folder, "eab.key")
	}
	text, err := config.Edit(docs.Example, values)
	if err != nil {
		return nil, config.Config{}, err
	}
	settings, err := config.Parse(s.file, text)
	var mistakes config.Mistakes
	if errors.As(err, &mistakes) { // of a file that nobody has seen
		var lines []string
		for _, m := range mistakes {
			lines = append(lines, m.Key+": "+m.Text)
		}
		err = errors.New(strings.Join(lines, "\n"))
	}
	return text, settings, err
}

// missingSecrets returns the files of secrets that are to be made; the others are
// checked.
func missingSecrets(c config.Config) (missing []string, err error) {
	for _, file := range append(slices.Clone(c.Relay.SecretFiles), c.Signal.PepperFile) {
		_, err := os.Stat(file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, file)
		case err != nil:
			return nil, err
		}
	}
	// Codes are found with the pepper that they were made with alone.
	if _, err := os.Stat(c.Signal.Registry); err == nil && slices.Contains(missing, c.Signal.PepperFile) {
		return nil, fmt.Errorf("%s holds appointments, but %s, without which no code is found, does not exist: restore it, or remove the appointments",
			c.Signal.Registry, c.Signal.PepperFile)
	}
	return missing, nil
}
