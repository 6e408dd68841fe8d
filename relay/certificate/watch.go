package certificate

import (
	"context"
	"crypto/sha256"
	"time"
)

// PollInterval is how often the files are read. Two small files are cheap to read, and polling sees
// what inotify does not: symbolic links changed three folders up, as by certbot, and changes made
// by another host over NFS.
const PollInterval = 5 * time.Second

// patience is how many polls find a fault before it is reported. The two files are written one
// after the other, and do not match in between.
const patience = 6

// Watch reads the files at every interval until ctx is done. It accepts a pair that has changed and
// is the same at two polls. If the files cannot be read or hold no good pair, nothing changes: they
// are tried again, and the fault is reported once.
func (s *Store) Watch(ctx context.Context, interval time.Duration,
	read func() (chainPEM, keyPEM []byte, err error)) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	w := watcher{store: s}
	if p := s.serving.Load(); p != nil {
		w.seen = p.sum
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			w.look(read())
		}
	}
}

type watcher struct {
	store *Store
	seen  [sha256.Size]byte // the pair last accepted from the files
	last  [sha256.Size]byte // their content at the last poll
	fault string            // their fault, for this many polls
	polls int
}

// look handles the current content of the files.
func (w *watcher) look(chainPEM, keyPEM []byte, err error) {
	if err == nil {
		// Compare with the files' last content, not with the serving pair: that one may have been
		// handed over since, and be newer than files that a service manager copied at start.
		sum := sumOf(chainPEM, keyPEM)
		settled := sum == w.last
		w.last = sum
		if sum == w.seen {
			w.recovered()
			return
		}
		if !settled {
			return // it may be half written: half a chain is also a good pair
		}
		if err = w.store.Replace(chainPEM, keyPEM); err == nil {
			w.seen = sum
			w.recovered()
			return
		}
	}
	if err.Error() != w.fault {
		w.fault, w.polls = err.Error(), 0
	}
	if w.polls++; w.polls == patience {
		w.store.noteProblem(err)
		w.store.log.Error("the certificate's files are not accepted: the old pair stays in service",
			"error", err)
	}
}

// recovered clears a fault, so that it is reported again if it returns.
func (w *watcher) recovered() {
	if w.polls >= patience {
		w.store.noteProblem(nil)
	}
	w.fault, w.polls = "", 0
}
