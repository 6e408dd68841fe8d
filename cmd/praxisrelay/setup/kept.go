package setup

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"praxisrelay/config"
)

// differing reports each flag that differs from the existing configuration, since it would have no
// effect although somebody relies on it.
func (s *setup) differing(ctx context.Context, c config.Config) error {
	var wrong []error
	compare := func(flag, said, key, kept string, same func(a, b string) bool) {
		if said == "" || same(said, kept) {
			return
		}
		if kept == "" {
			kept = "empty"
		}
		wrong = append(wrong, fmt.Errorf("--%s: %s, where %s is %s", flag, said, key, kept))
	}
	text := func(a, b string) bool { return a == b }
	compare("name", s.name, "name", c.Name, strings.EqualFold)
	compare("cert", s.certificate, "tls.certificate", c.TLS.Certificate, sameFile)
	compare("key", s.key, "tls.key", c.TLS.Key, sameFile)
	acme := c.TLS.ACME
	compare("acme", s.acme.Directory, "tls.acme.directory", acme.Directory, text)
	compare("acme-email", s.acme.Email, "tls.acme.email", acme.Email, text)
	compare("acme-ca", s.acme.CAFile, "tls.acme.ca_file", acme.CAFile, sameFile)
	compare("eab-key-id", s.acme.EABKeyID, "tls.acme.eab_key_id", acme.EABKeyID, text)
	compare("eab-key-file", s.acme.EABKeyFile, "tls.acme.eab_key_file", acme.EABKeyFile, sameFile)
	if s.public != "" {
		if s.name == "" {
			s.name = c.Name // auto may look it up
		}
		wanted, err := s.publicAddress(ctx, nil)
		if err != nil {
			return err
		}
		compare("public-address", shownAddress(wanted), "relay.public_address",
			shownAddress(c.Relay.PublicAddress), text)
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("%s exists and is kept, but the flags differ from it: edit it and leave "+
		"them out, or move it away to begin again\n%w",
		s.file, errors.Join(wrong...))
}

// sameFile reports whether two paths lead to the same file.
func sameFile(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return a == b
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

func shownAddress(addr netip.Addr) string {
	if !addr.IsValid() {
		return "none"
	}
	return addr.String()
}
