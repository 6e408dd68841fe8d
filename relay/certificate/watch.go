package certificate

import (
	"context"
	"crypto/sha256"
	"time"
)

// PollInterval is how often the files are looked at. Reading two small files is cheap,
// and sees what inotify does not: symbolic links that are turned elsewhere three
// folders up, as certbot does, and changes that another host made over NFS.
const PollInterval = 5 * time.Second

// patience is how many polls find a fault before it is reported. Two files are written
// one after the other, so in between they are no pair.
const patience = 6

// Watch reads the files at every interval until ctx is done, and takes the pair when
// they have changed and are the same at two polls. Files that cannot be read or that
// hold no good pair change nothing: they are tried again, and reported once.
func (s *Store) Watch(ctx context.Context, interval time.Duration, read func() (chainPEM, keyPEM []byte, err error)) {
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
	seen  [sha256.Size]byte // what was taken from the files
	last  [sha256.Size]byte // what was in them at the last poll
	fault string            // what is wrong with them since some polls
	polls int
}

// look takes what the files hold now.
func (w *watcher) look(chainPEM, keyPEM []byte, err error) {
	if err == nil {
		// Compared with what the files held, not with what serves: that may have been
		// handed over since, and be newer than files that a service manager copied at start.
		sum := sumOf(chainPEM, keyPEM)
		settled := sum == w.last
		w.last = sum
		if sum == w.seen {
			w.recovered()
			return
		}
		if !settled {
			return // half a chain is a good pair too
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
		w.store.log.Error("the certificate's files are not taken: the old pair serves on", "error", err)
	}
}

// recovered forgets a fault, so that it is reported again should it come again.
func (w *watcher) recovered() {
	if w.polls >= patience {
		w.store.noteProblem(nil)
	}
	w.fault, w.polls = "", 0
}
