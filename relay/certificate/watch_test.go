package certificate

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"praxisrelay/relay/certificate/certificatetest"
)

// pairFiles are the files that the watcher under test reads.
type pairFiles struct {
	mu         sync.Mutex
	chain, key []byte
	err        error
}

func (f *pairFiles) read() ([]byte, []byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.chain, f.key, f.err
}

func (f *pairFiles) write(chain, key []byte, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.chain, f.key, f.err = chain, key, err
}

func TestFilesAreWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := certificatetest.NewCA(t)
		old, oldKey := a.Issue(t, name, nil)
		renewed, renewedKey := a.Issue(t, name, nil)
		third, thirdKey := a.Issue(t, name, nil)
		other, _ := a.Issue(t, name, nil)
		s, j := newStore()
		if err := s.Replace(old, oldKey); err != nil {
			t.Fatal(err)
		}
		f := &pairFiles{chain: old, key: oldKey}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go s.Report(ctx)
		go s.Watch(ctx, PollInterval, f.read)
		polls := func(n int) { time.Sleep(time.Duration(n) * PollInterval); synctest.Wait() }
		taken := func(n int, what string) {
			t.Helper()
			if got := j.count("certificate taken"); got != n {
				t.Fatalf("%s: %d certificates taken, want %d\n%s", what, got, n, j)
			}
		}
		faults := func(n int, what string) {
			t.Helper()
			if got := j.count("are not accepted"); got != n || n == 0 && s.Problem() != nil {
				t.Fatalf("%s: %d faults reported, want %d; problem %v\n%s", what, got, n, s.Problem(), j)
			}
		}
		polls(10)
		taken(1, "nothing changes")

		f.write(renewed, oldKey, nil) // and its key comes a little later
		polls(2)
		taken(1, "half written")
		f.write(renewed, renewedKey, nil)
		polls(2)
		taken(2, "renewed")
		faults(0, "one file after the other")

		f.write(other, renewedKey, nil)
		polls(patience)
		faults(0, "a fault that may pass")
		polls(1000)
		faults(1, "a fault that stands")
		if s.Problem() == nil {
			t.Error("the problem is not reported")
		}
		f.write(renewed, renewedKey, nil)
		polls(1)
		taken(2, "as before")
		if s.Problem() != nil {
			t.Errorf("the problem is gone, but it is still %v", s.Problem())
		}

		f.write(nil, nil, fs.ErrPermission)
		polls(1000)
		faults(2, "unreadable")
		before := serial(t, s)
		// Handed over while the files cannot be read; when they can, they are older.
		if err := s.Replace(third, thirdKey); err != nil {
			t.Fatal(err)
		}
		polls(10)
		f.write(renewed, renewedKey, nil)
		polls(10)
		taken(3, "handed over")
		faults(2, "handed over")
		if serial(t, s) == before {
			t.Error("unchanged files replaced the pair that was handed over")
		}
		f.write(nil, nil, errors.New("stale file handle"))
		polls(1000)
		faults(3, "unreadable again")
		f.write(old, oldKey, nil)
		polls(2)
		taken(4, "the old ones put back")
	})
}

// TestHalfAChainIsNotTaken while the chain is still being written.
func TestHalfAChainIsNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chain, key := certificatetest.NewCA(t).Issue(t, name, nil)
		s, j := newStore()
		f := &pairFiles{chain: chain[:bytes.LastIndex(chain, []byte("-----BEGIN"))], key: key}
		if err := Check(name, f.chain, key, time.Now()); err != nil {
			t.Fatalf("half a chain is not a good pair, so this test shows nothing: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go s.Report(ctx)
		go s.Watch(ctx, PollInterval, f.read)
		time.Sleep(PollInterval)
		synctest.Wait()
		f.write(chain, key, nil)
		time.Sleep(2 * PollInterval)
		synctest.Wait()
		if n := j.count("certificate taken"); n != 1 {
			t.Fatalf("%d certificates taken", n)
		}
		if c, _ := s.GetCertificate(nil); len(c.Certificate) != 2 {
			t.Errorf("a chain of %d serves", len(c.Certificate))
		}
	})
}

// TestRealFiles replaces files as is done in practice.
func TestRealFiles(t *testing.T) {
	a := certificatetest.NewCA(t)
	folder := t.TempDir()
	live, archive := filepath.Join(folder, "live"), filepath.Join(folder, "archive")
	write := func(path string, text []byte) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := func(target, path string) {
		t.Helper()
		if err := os.Symlink(target, path+".new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	chainFile, keyFile := filepath.Join(live, "fullchain.pem"), filepath.Join(live, "privkey.pem")
	s, _ := newStore()
	w := watcher{store: s}
	for _, way := range []struct {
		what    string
		replace func(chain, key []byte)
	}{
		{"written", func(chain, key []byte) { write(chainFile, chain); write(keyFile, key) }},
		{"overwritten", func(chain, key []byte) { write(keyFile, key); write(chainFile, chain) }},
		{"renamed", func(chain, key []byte) {
			for file, text := range map[string][]byte{chainFile: chain, keyFile: key} {
				write(file+".new", text)
				if err := os.Rename(file+".new", file); err != nil {
					t.Fatal(err)
				}
			}
		}},
		{"links turned, as certbot does", func(chain, key []byte) {
			write(filepath.Join(archive, "fullchain2.pem"), chain)
			write(filepath.Join(archive, "privkey2.pem"), key)
			link("../archive/fullchain2.pem", chainFile)
			link("../archive/privkey2.pem", keyFile)
		}},
		{"a folder's link turned", func(chain, key []byte) {
			write(filepath.Join(folder, "3", "fullchain.pem"), chain)
			write(filepath.Join(folder, "3", "privkey.pem"), key)
			if err := os.RemoveAll(live); err != nil {
				t.Fatal(err)
			}
			link("3", live)
		}},
	} {
		way.replace(a.Issue(t, name, nil))
		for range 2 {
			chain, err := os.ReadFile(chainFile)
			if err != nil {
				t.Fatal(err)
			}
			key, err := os.ReadFile(keyFile)
			w.look(chain, key, err)
		}
		chain, _ := os.ReadFile(chainFile)
		key, _ := os.ReadFile(keyFile)
		if p := s.serving.Load(); p == nil || p.sum != sumOf(chain, key) {
			t.Errorf("%s: not taken: %s", way.what, w.fault)
		}
	}
}
