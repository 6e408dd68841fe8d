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

// delivery prints what is shown once: codes, tokens. What it could not print somebody has
// to take back, since nobody has it.
type delivery struct {
	out    io.Writer
	failed error // the first failure: nothing is printed behind it
}

// newDelivery prepares for a reader who goes: that becomes an error of the next write, and
// does not end the program before it has taken back what it made.
func newDelivery(out io.Writer) *delivery {
	outliveReaders()
	return &delivery{out: out}
}

// outliveReaders turns a reader of standard output or standard error that goes into an error
// of the next write: Go ends the process otherwise, even where SIGPIPE was ignored at the
// start. A command in a pipe should end then; calls, and what is to be taken back, should not.
func outliveReaders() { ossignal.Ignore(syscall.SIGPIPE) }

// print is sure that all that write writes is out: where the output is a file, on the disk.
// A half is taken off a file again.
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
		// Some file systems notice only now that they are full; some have nothing to sync.
		if err := file.Sync(); !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EINVAL) {
			d.failed = err
		}
	}
	if d.failed != nil {
		_ = file.Truncate(size)
	}
	return d.failed
}

// regularFile returns the file that a stream is, if it is one, and its size.
func regularFile(stream any) (*os.File, int64) {
	if file, ok := stream.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			return file, info.Size()
		}
	}
	return nil, 0
}

// takeBack revokes what was made and could not be printed, and says so in the error that
// says why. command is what revokes by hand.
func takeBack(ctx context.Context, why error, ids []string, revoke func(context.Context, string) error, command string) error {
	var left []string
	for _, id := range ids {
		// Also while the program is being interrupted.
		if revoke(context.WithoutCancel(ctx), id) != nil {
			left = append(left, command+" "+id)
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("%w; what nobody has is still valid and could not be revoked: %s", why, strings.Join(left, "; "))
	}
	return fmt.Errorf("%w; what could not be printed is revoked again", why)
}
