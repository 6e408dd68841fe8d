// Package setup is praxisrelay init: it examines the host, asks, and writes the configuration and
// the secrets of a new appliance.
//
//	init.go           the command and its flags
//	ask.go            questions at a terminal
//	kept.go           differences between the flags and an existing configuration
//	surroundings.go   findings about the host: its public address, its name, its ports
//	clock.go          whether the clock is right
//	write.go, create_*.go   files, made completely or not at all
//	report.go         the report at the end
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

// setup holds init's flags and answers.
type setup struct {
	file             string // the configuration
	name             string
	certificate, key string
	acme             config.ACME
	public           string // an address, auto, or nothing
	stun             string
	kept             bool // a configuration exists already
}

// Command returns praxisrelay init.
func Command() *cobra.Command {
	var s setup
	var unattended bool
	c := &cobra.Command{
		Use:   "init",
		Short: "Write the configuration and the secrets of a new appliance, and list what else it needs",
		Long: `Write a commented configuration and its secrets, and print what firewalls must let
through, which DNS records to make, and the next command. On a terminal it asks for
what the flags leave open.

It checks for common problems and warns about them: a NAT, ports in use, a name that
leads elsewhere, a wrong clock, a certificate that does not fit. It contacts no server
on the internet except the ACME directory and the STUN server that the flags name.

Nothing is overwritten. Everything is checked before anything is written, and the
configuration is written last, so that the files it names exist. If init fails, it
removes what it made. An existing configuration is kept: then init only makes the
secrets that it names and that are missing. Flags that differ from it are an error, so
that nobody relies on them.

The files of the certificate, or of the EAB key, are linked to from the configuration's
folder, where the service finds them: they stay where they are renewed.`,
		Example: `  sudo praxisrelay init
  sudo praxisrelay init --non-interactive --name relay.example.org --acme --acme-email it@example.org
  sudo praxisrelay init --non-interactive --name relay.example.org --public-address 203.0.113.10 \
      --cert /etc/letsencrypt/live/relay.example.org/fullchain.pem \
      --key /etc/letsencrypt/live/relay.example.org/privkey.pem`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("%q belongs to no flag: write a directory as --acme=URL", args[0])
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&s.file, "config", "/etc/praxisrelay/praxisrelay.yaml",
		"the configuration `file` to write; the secrets go next to it")
	f.StringVar(&s.name, "name", "", "the DNS `name` under which clients reach the appliance")
	f.StringVar(&s.certificate, "cert", "", "the `file` of the certificate chain (PEM)")
	f.StringVar(&s.key, "key", "", "the `file` of its private key (PEM)")
	f.StringVar(&s.acme.Directory, "acme", "",
		"have the certificate issued and renewed instead, and accept the authority's terms; write "+
			"a directory other than Let's Encrypt's as --acme=`URL`")
	f.Lookup("acme").NoOptDefVal = letsEncrypt
	f.StringVar(&s.acme.Email, "acme-email", "", "the `address` for the authority's notices")
	f.StringVar(&s.acme.CAFile, "acme-ca", "",
		"a world-readable `file` with the roots (PEM) for the directory's own certificate "+
			"(default: the system's)")
	f.StringVar(&s.acme.EABKeyID, "eab-key-id", "", "the `name` of the key for external account binding")
	f.StringVar(&s.acme.EABKeyFile, "eab-key-file", "", "the `file` of that key, in base64url")
	f.StringVar(&s.public, "public-address", "",
		"the `address` that a NAT translates to this host; auto: the one that --stun reports or "+
			"the name resolves to, if it is not this host's")
	f.StringVar(&s.stun, "stun", "", "a STUN server, `host:port`, to find this host's public address with")
	f.BoolVar(&unattended, "non-interactive", false, "ask nothing: missing flags are an error")
	c.RunE = func(c *cobra.Command, _ []string) error {
		var ask *questions
		if !unattended && terminal.Is(c.InOrStdin()) {
			ask = newQuestions(c.Context(), c.InOrStdin(), c.ErrOrStderr())
		}
		return s.run(c.Context(), ask, c.OutOrStdout())
	}
	return c
}

// run runs init. ask is nil if nothing may be asked.
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
		return fmt.Errorf("%w; everything is made: run init again to see the next steps", err)
	}
	return nil
}

// existing reads the configuration that is there. It is not written again, so the text is empty.
func (s *setup) existing() (text []byte, settings config.Config, err error) {
	if _, err := os.Lstat(s.file); err != nil {
		return nil, settings, err
	}
	s.kept = true
	if settings, err = config.Load(s.file); err != nil {
		return nil, settings, fmt.Errorf("%s exists and is kept, but has mistakes: correct them, "+
			"or move it away and run init again\n%w", s.file, err)
	}
	return nil, settings, nil
}

// fresh makes a configuration from the answers, and checks the files that it names.
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

// checkFlags reports every flag that is missing or does not fit the others.
func (s *setup) checkFlags() error {
	var wrong []error
	if s.name == "" {
		wrong = append(wrong, errors.New("--name is missing: give the DNS name that clients use, "+
			"like relay.example.org"))
	}
	switch {
	case s.acme.Directory != "" && s.certificate+s.key != "":
		wrong = append(wrong, errors.New("--acme has a certificate issued: leave out --cert and --key"))
	case s.acme.Directory == "" && s.acme != config.ACME{}:
		wrong = append(wrong, errors.New("--acme is missing: the other flags for ACME need it"))
	case s.acme.Directory == "" && (s.certificate == "" || s.key == ""):
		wrong = append(wrong, errors.New("--cert and --key are missing: give the files of the "+
			"certificate and its key, or --acme to have one issued"))
	}
	return errors.Join(wrong...)
}

// checkCertificate checks the certificate at its present path, since the links that the
// configuration names do not exist yet.
func (s *setup) checkCertificate() error {
	c := config.Config{Name: s.name, TLS: config.TLS{Certificate: s.certificate, Key: s.key}}
	now := time.Now()
	if _, err := secrets.ReadCertificate(c, secrets.FromDisk, now); err != nil {
		return err
	}
	refused, _ := secrets.CertificateProblems(c, now)
	return errors.Join(refused...)
}

// configuration is the shipped example with the answers filled in.
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
	if errors.As(err, &mistakes) { // the user has not seen this file
		var lines []string
		for _, m := range mistakes {
			lines = append(lines, m.Key+": "+m.Text)
		}
		err = errors.New(strings.Join(lines, "\n"))
	}
	return text, settings, err
}

// missingSecrets returns the files of secrets that have to be made, and checks those that exist.
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
	// Codes can only be found with the pepper that they were made with.
	if _, err := os.Stat(c.Signal.Registry); err == nil && slices.Contains(missing, c.Signal.PepperFile) {
		return nil, fmt.Errorf("%s holds appointments, but %s does not exist, and without it no "+
			"code can be found: restore it, or remove the appointments",
			c.Signal.Registry, c.Signal.PepperFile)
	}
	return missing, nil
}
