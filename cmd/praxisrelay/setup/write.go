package setup

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/config"
)

// write makes the secrets, the links to files kept elsewhere and, last, the configuration unless
// one exists; or nothing at all. It returns what it made.
func (s *setup) write(text []byte, settings config.Config, missing []string) (made []string, err error) {
	c := new(creation)
	defer func() {
		if err != nil {
			c.undo()
		}
	}()
	for _, file := range missing {
		if err := c.file(file, 0o600, newSecret()); err != nil {
			return nil, err
		}
	}
	if s.kept {
		return c.made, nil
	}
	for _, link := range []struct{ target, path string }{
		{s.certificate, settings.TLS.Certificate}, {s.key, settings.TLS.Key}, {s.acme.EABKeyFile, settings.TLS.ACME.EABKeyFile},
	} {
		if link.target == "" {
			continue
		}
		if err := c.link(link.target, link.path); err != nil {
			return nil, err
		}
	}
	if _, err := secrets.Read(settings, secrets.FromDisk, time.Now()); err != nil {
		return nil, err
	}
	err = c.file(s.file, 0o644, text)
	return c.made, err
}

// newSecret makes a secret like openssl rand -base64 32.
func newSecret() []byte {
	secret := make([]byte, 32)
	rand.Read(secret) // never fails
	return append([]byte(base64.StdEncoding.EncodeToString(secret)), '\n')
}

// creation makes files that do not exist, and can remove them again.
type creation struct{ made, folders []string }

// file makes a complete file, synced to the disk, or nothing.
func (c *creation) file(path string, mode fs.FileMode, text []byte) error {
	if err := c.folder(filepath.Dir(path)); err != nil {
		return err
	}
	if err := createFile(path, mode, text); err != nil {
		return writable(err)
	}
	c.made = append(c.made, path)
	return syncFolder(filepath.Dir(path))
}

// link makes a symbolic link, unless the path already leads to the target.
func (c *creation) link(target, path string) error {
	if there, err := filepath.EvalSymlinks(path); err == nil {
		if wanted, err := filepath.EvalSymlinks(target); err == nil && wanted == there {
			return nil
		}
	}
	if err := c.folder(filepath.Dir(path)); err != nil {
		return err
	}
	if err := os.Symlink(target, path); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists and is not %s: move it away, or give its path", path, target)
	} else if err != nil {
		return writable(err)
	}
	c.made = append(c.made, path)
	return syncFolder(filepath.Dir(path))
}

// folder makes a folder and its parents. Others may enter it; what they may read depends on the
// files.
func (c *creation) folder(path string) error {
	if _, err := os.Stat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := c.folder(filepath.Dir(path)); err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		return writable(err)
	}
	c.folders = append(c.folders, path)
	return os.Chmod(path, 0o755) // regardless of the umask
}

// undo removes what was made, in reverse order.
func (c *creation) undo() {
	for i := len(c.made) - 1; i >= 0; i-- {
		os.Remove(c.made[i])
	}
	for i := len(c.folders) - 1; i >= 0; i-- {
		os.Remove(c.folders[i]) // fails if somebody has put something into it
	}
}

func writable(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: run it as root (sudo praxisrelay init)", err)
	}
	return err
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

// createNamed writes a file under a temporary name first, which is left behind if the process is
// killed.
func createNamed(path string, mode fs.FileMode, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".init-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := fill(f, mode, text); err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}

// fill writes a new file and closes it.
func fill(f *os.File, mode fs.FileMode, text []byte) error {
	_, err := f.Write(text)
	return errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
}
