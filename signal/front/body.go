package front

import (
	"io"
	"net/http"
	"time"

	"praxisrelay/network/shares"
)

// bodyTime is how long a body may take. All that is sent here fits into 256 kB, and nearly
// always into one packet.
const bodyTime = 10 * time.Second

// bounded serves requests with a body only while not too many of these are on their way.
type bounded struct {
	next   http.Handler
	bodies *Bodies
}

func (f bounded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength == 0 {
		f.next.ServeHTTP(w, r)
		return
	}
	c := r.Context().Value(connKey{}).(*conn)
	c.expect(r.ContentLength)
	if r.ContentLength < 0 { // chunked, so only net/http sees where it ends
		w.Header().Set("Connection", "close")
	}
	deadline := http.NewResponseController(w).SetReadDeadline
	const unread = time.Second // how long a body that nobody reads may hold its connection
	if f.bodies == nil {
		_ = deadline(time.Now().Add(unread))
		w.Header().Set("Connection", "close")
		r.Body = http.NoBody
		f.next.ServeHTTP(w, r)
		return
	}
	release, ok := f.bodies.Admit(shares.Client(c))
	if !ok {
		f.bodies.Refused()
		_ = deadline(time.Now().Add(unread))
		w.Header().Set("Connection", "close")
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many requests are being sent at once: send it again in a moment", http.StatusServiceUnavailable)
		return
	}
	defer release()
	_ = deadline(time.Now().Add(bodyTime))
	r.Body = &body{r.Body, func() {
		release()
		r.Trailer = nil // nobody asks for it, and it may be large
		_ = deadline(time.Time{})
	}}
	f.next.ServeHTTP(w, r)
}

// body is a request's body, which says when all of it is there.
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
