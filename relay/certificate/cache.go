package certificate

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// cache is the folder for one authority's account and certificates. Each directory has its own
// folder, so that a trial's certificate never serves in production. Only the daemon's user may read
// folders and files.
type cache string

func openCache(root, directory string) (cache, error) {
	u, err := url.Parse(directory)
	if err != nil {
		return "", fmt.Errorf("tls.acme.directory: %w", err)
	}
	name := strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, u.Host+u.Path)
	folder := filepath.Join(root, name)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("tls.acme.cache: %w: it must be a folder that the daemon can write to", err)
	}
	return cache(folder), nil
}

func (c cache) path(name string) string { return filepath.Join(string(c), name) }

// accountKey returns the account's key, and makes one if there is none.
func (c cache) accountKey() (crypto.Signer, error) {
	file := c.path("account.key")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		var text bytes.Buffer
		if err := encodeKey(&text, key); err != nil {
			return nil, err
		}
		return key, c.save(file, text.Bytes())
	}
	if err != nil {
		return nil, fmt.Errorf("tls.acme.cache: %w", err)
	}
	if block, _ := pem.Decode(text); block != nil {
		if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			if signer, ok := key.(crypto.Signer); ok {
				return signer, nil
			}
		}
	}
	return nil, fmt.Errorf("tls.acme.cache: %s is not a key: delete it to get a new account", file)
}

// loadPair returns the key and the chain for a name as PEM; nil: there are none.
func (c cache) loadPair(name string) ([]byte, error) {
	text, err := os.ReadFile(c.path(name + ".pem"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("tls.acme.cache: %w", err)
	}
	return text, nil
}

// savePair saves both in one file, so that they always match.
func (c cache) savePair(name string, text []byte) error { return c.save(c.path(name+".pem"), text) }

// save writes a file atomically: readers see all or nothing, even after a crash.
func (c cache) save(file string, text []byte) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("tls.acme.cache: %w", err)
		}
	}()
	f, err := os.CreateTemp(string(c), "new-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}

func encodeKey(to io.Writer, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return pem.Encode(to, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
