package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	ossignal "os/signal"
	"strings"
	"syscall"
)

// delivery prints secrets that are shown only once: codes and tokens. What cannot be printed must
// be taken back, since nobody has it.
type delivery struct {
	out    io.Writer
	failed error // the first failure: nothing is printed after it
}

// newDelivery makes sure that a reader who goes away causes a write error, instead of ending the
// program before it has taken back what nobody received.
func newDelivery(out io.Writer) *delivery {
	outliveReaders()
	return &delivery{out: out}
}

// outliveReaders turns SIGPIPE into a write error when a reader of standard output or standard
// error goes away. Otherwise Go ends the process, even if SIGPIPE was ignored at the start. That
// is right for a command in a pipe, but not for running calls or for secrets to be taken back.
func outliveReaders() { ossignal.Ignore(syscall.SIGPIPE) }

// print returns nil only if all that write writes has arrived; in a file, that means on the disk. A
// partial write is cut off the file again.
func (d *delivery) print(write func() error) error {
	if d.failed != nil {
		return d.failed
	}
	file, size := regularFile(d.out)
	d.failed = write()
	if file == nil {
		return d.failed
	}
	if d.failed == nil {
		// Some file systems only notice here that they are full; some cannot sync.
		if err := file.Sync(); !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EINVAL) {
			d.failed = err
		}
	}
	if d.failed != nil {
		_ = file.Truncate(size)
	}
	return d.failed
}

// regularFile returns a stream's file and its size if it is a regular file.
func regularFile(stream any) (*os.File, int64) {
	if file, ok := stream.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			return file, info.Size()
		}
	}
	return nil, 0
}

// takeBack revokes what was made but could not be printed, and adds the outcome to the error.
// command is the command to revoke by hand.
func takeBack(ctx context.Context, why error, ids []string,
	revoke func(context.Context, string) error, command string) error {
	var left []string
	for _, id := range ids {
		// Even while the program is being interrupted.
		if revoke(context.WithoutCancel(ctx), id) != nil {
			left = append(left, command+" "+id)
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("%w; what could not be printed is still valid and could not be "+
			"revoked either: %s", why, strings.Join(left, "; "))
	}
	return fmt.Errorf("%w; what could not be printed has been revoked", why)
}
