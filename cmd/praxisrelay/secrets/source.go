package secrets

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"praxisrelay/config"
)

// Source is where the configuration and the files that it names are read from. It
// refuses a secret that everybody on this host may read.
type Source func(file string, secret bool) ([]byte, error)

// Load reads the configuration and what it names: all of it, or an error with every
// mistake.
func Load(file string, read Source, now time.Time) (c config.Config, s Set, err error) {
	text, err := read(file, false)
	if err != nil {
		return c, s, config.Unread(err)
	}
	if c, err = config.Parse(file, text); err != nil {
		return c, s, err
	}
	s, err = Read(c, read, now)
	return c, s, err
}

// maxBytes is more than any file has that a configuration names.
const maxBytes = 1 << 20

// FromDisk reads files where they are. What is none, like a FIFO, is refused: a reload
// would wait for its end, and a stop for the reload.
func FromDisk(file string, secret bool) ([]byte, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file: name one", file)
	case info.Size() > maxBytes:
		return nil, fmt.Errorf("%s has more than %d bytes: name another file", file, maxBytes)
	case secret && info.Mode().Perm()&0o007 != 0:
		return nil, fmt.Errorf("everybody on this host may read %s: %s", file, hide(file))
	}
	text, err := io.ReadAll(io.LimitReader(f, maxBytes))
	if err != nil {
		return nil, err
	}
	return plainText(file, text)
}

// hide says how a file is hidden from everybody. Where containers get their secrets
// nothing can be changed from inside.
func hide(file string) string {
	if onReadOnly(file) {
		return "it is mounted read-only, so mount it with defaultMode: 0400 (Kubernetes), or with mode: 0400 and the uid of the daemon (Compose, Swarm); " +
			"a file of the host that is mounted needs chmod o= there"
	}
	return "chmod o= " + file
}

// plainText takes away what editors on Windows add.
func plainText(file string, text []byte) ([]byte, error) {
	text, err := config.PlainText(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return text, nil
}

// FromCredentials reads what the service manager hands over (LoadCredential in the unit)
// under the base name of a file in its place, and all else where it is. An empty
// credential stands for a file that does not exist: the unit has to name something.
func FromCredentials(file string, secret bool) ([]byte, error) {
	if folder := os.Getenv("CREDENTIALS_DIRECTORY"); folder != "" {
		text, err := os.ReadFile(filepath.Join(folder, filepath.Base(file)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if len(bytes.TrimSpace(text)) > 0 {
			return plainText(file, text)
		}
	}
	text, err := FromDisk(file, secret)
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w: let the daemon's user read it or, where systemd runs it, hand it over with LoadCredential=%s:%s in a drop-in", err, filepath.Base(file), file)
	}
	return text, err
}

// InCredentials reports whether the service manager hands a file over.
func InCredentials(file string) bool {
	folder := os.Getenv("CREDENTIALS_DIRECTORY")
	if folder == "" {
		return false
	}
	_, err := os.Stat(filepath.Join(folder, filepath.Base(file)))
	return err == nil
}

// FromMemory reads what somebody has read before.
func FromMemory(files map[string][]byte) Source {
	return func(file string, _ bool) ([]byte, error) {
		text, ok := files[file]
		if !ok {
			return nil, fmt.Errorf("%s was not handed over", file)
		}
		return text, nil
	}
}

// Noting notes what is read from another source.
func Noting(read Source, files map[string][]byte) Source {
	return func(file string, secret bool) ([]byte, error) {
		text, err := read(file, secret)
		if err == nil {
			files[file] = text
		}
		return text, err
	}
}
