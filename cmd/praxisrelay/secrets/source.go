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

// Source reads the configuration or a file that it names. It refuses a secret that every user on
// this host may read.
type Source func(file string, secret bool) ([]byte, error)

// Load reads the configuration and the files that it names, or returns an error with every mistake.
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

// maxBytes is larger than any file that a configuration names.
const maxBytes = 1 << 20

// FromDisk reads a regular file. Anything else, such as a FIFO, is refused: a reload would block on
// it, and a stop would wait for the reload.
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
		return nil, fmt.Errorf("%s is not a regular file: name one", file)
	case info.Size() > maxBytes:
		return nil, fmt.Errorf("%s is larger than %d bytes: name another file", file, maxBytes)
	case secret && info.Mode().Perm()&0o007 != 0:
		return nil, fmt.Errorf("everybody on this host may read %s: %s", file, hide(file))
	}
	text, err := io.ReadAll(io.LimitReader(f, maxBytes))
	if err != nil {
		return nil, err
	}
	return plainText(file, text)
}

// hide says how to keep other users from reading a file. Containers get their secrets on read-only
// mounts, so the mount has to change.
func hide(file string) string {
	if onReadOnly(file) {
		return "it is mounted read-only, so mount it with defaultMode: 0400 (Kubernetes), or with " +
			"mode: 0400 and the uid of the daemon (Compose, Swarm); a file mounted from the host needs " +
			"chmod o= on the host"
	}
	return "chmod o= " + file
}

// plainText removes what editors on Windows add.
func plainText(file string, text []byte) ([]byte, error) {
	text, err := config.PlainText(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return text, nil
}

// FromCredentials reads a file from the service manager (LoadCredential in the unit) if that
// provides one of the same base name, and from the disk otherwise. An empty credential stands for a
// file that does not exist, because the unit must always name a file.
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
		err = fmt.Errorf("%w: let the daemon's user read it or, where systemd runs it, hand it "+
			"over with LoadCredential=%s:%s in a drop-in", err, filepath.Base(file), file)
	}
	return text, err
}

// InCredentials reports whether the service manager provides a file.
func InCredentials(file string) bool {
	folder := os.Getenv("CREDENTIALS_DIRECTORY")
	if folder == "" {
		return false
	}
	_, err := os.Stat(filepath.Join(folder, filepath.Base(file)))
	return err == nil
}

// FromMemory serves files that have been read before.
func FromMemory(files map[string][]byte) Source {
	return func(file string, _ bool) ([]byte, error) {
		text, ok := files[file]
		if !ok {
			return nil, fmt.Errorf("%s was not handed over", file)
		}
		return text, nil
	}
}

// Noting records in files what is read from another source.
func Noting(read Source, files map[string][]byte) Source {
	return func(file string, secret bool) ([]byte, error) {
		text, err := read(file, secret)
		if err == nil {
			files[file] = text
		}
		return text, err
	}
}
