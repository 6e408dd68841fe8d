package front

import (
	"io"
	"net/http"
	"sync"
	"time"

	"praxisrelay/config/network/shares"
)

// bodyTime is how long a body may take. All bodies here fit into 256 kB, and nearly all into one
// packet.
const bodyTime = 10 * time.Second

// Pending bounds a listener's incomplete requests and unread answers: they cost more than idle
// connections, and it may not be known whose they are.
type Pending struct {
	*shares.Shares
	answers *shares.Shares
	refused func()
}

// NewPending returns a Pending for max requests and as many answers, a quarter of them for any one
// network. It calls refused for each one beyond.
func NewPending(max int, refused func()) *Pending {
	quarter := (max + 3) / 4
	return &Pending{shares.New(max, quarter), shares.New(max, quarter), refused}
}

// part is a connection's share of Pending while its request is incomplete.
type part struct {
	of      *Pending
	mu      sync.Mutex
	release func() // nil: no share
}

// take returns false if there are too many.
func (p *part) take(c *conn) (ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.release != nil {
		return true
	}
	if p.release, ok = p.of.Admit(shares.Client(c)); !ok {
		p.of.refused()
	}
	return ok
}

func (p *part) giveBack() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.release != nil {
		p.release()
		p.release = nil
	}
}

// bodies serves requests with a body unless too many are incomplete.
type bodies struct{ next http.Handler }

func (b bodies) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength == 0 {
		b.next.ServeHTTP(w, r)
		return
	}
	c := r.Context().Value(connKey{}).(*conn)
	c.expect(r.ContentLength)
	if r.ContentLength < 0 { // chunked, so only net/http sees its end
		w.Header().Set("Connection", "close")
	}
	deadline := http.NewResponseController(w).SetReadDeadline
	if !c.part.take(c) {
		_ = deadline(time.Now().Add(patience)) // for the rest of the body, which is discarded
		w.Header().Set("Connection", "close")
		w.Header().Set("Retry-After", "1")
		http.Error(w, busy, http.StatusServiceUnavailable)
		return
	}
	defer c.part.giveBack()
	_ = deadline(time.Now().Add(bodyTime))
	r.Body = &body{r.Body, func() {
		c.part.giveBack()
		r.Trailer = nil // unused, and may be large
		_ = deadline(time.Time{})
	}}
	b.next.ServeHTTP(w, r)
}

// body is a request's body that signals when it is complete.
type body struct {
	io.ReadCloser
	arrived func()
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.arrived()
	}
	return n, err
}
