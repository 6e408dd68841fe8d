package front

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// echo answers with the contents of the request, in one line.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s %d %d %d %v\n", r.Method, r.RequestURI, len(r.Header), len(body), len(r.Trailer), err)
}

func serve(t *testing.T, pending *Pending, handler http.HandlerFunc) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	t.Cleanup(func() { server.Close() })
	go func() { _ = Serve(server, l, pending) }()
	return l.Addr().String()
}

// exchange sends everything at once and returns the answers until the connection closes, each as
// its status and body.
func exchange(t *testing.T, address, text string) (answers []string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	go func() { _, _ = io.WriteString(conn, text) }()
	for reader := bufio.NewReader(conn); ; {
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			// Unread input may reset the connection.
			if err != io.ErrUnexpectedEOF && err != io.EOF && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the connection ends with %v", err)
			}
			return answers
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Error(err)
		}
		line, _, _ := strings.Cut(string(body), "\n")
		answers = append(answers, fmt.Sprint(response.StatusCode, " ", line))
	}
}

// headers returns count distinct, empty headers.
func headers(count int) string {
	var b strings.Builder
	for i := range count {
		fmt.Fprintf(&b, "A%X:\r\n", i)
	}
	return b.String()
}

const (
	host = "Host: relay.example.org\r\n"
	last = "Connection: close\r\n"
)

// TestRequestsPassAsTheyAre, with whatever follows them on the connection.
func TestRequestsPassAsTheyAre(t *testing.T) {
	address := serve(t, NewPending(32, none), echo)
	lines := strings.Repeat("\n\r\n", 5000)
	post := func(path, more, body string) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\n%s%sContent-Length: %d\r\n\r\n%s", path, host, more, len(body), body)
	}
	get := func(path, more string) string { return "GET " + path + " HTTP/1.1\r\n" + host + more + "\r\n" }
	large := "431 " + tooLarge
	for name, test := range map[string]struct {
		sent string
		want []string
	}{
		"one":                      {get("/a", last), []string{"200 GET /a 1 0 0 <nil>"}},
		"as many lines as may be":  {get("/a", last+headers(MaxHeadLines-3)), []string{"200 GET /a 62 0 0 <nil>"}},
		"one line more":            {get("/a", last+headers(MaxHeadLines-2)), []string{large}},
		"thousands of headers":     {get("/a", headers(3000)), []string{large}},
		"the same header":          {get("/a", strings.Repeat("A:\r\n", 3000)), []string{large}},
		"LF only":                  {"GET /a HTTP/1.1\n" + strings.ReplaceAll(host+headers(70), "\r", "") + "\n", []string{large}},
		"folded lines":             {get("/a", "A: b\r\n"+strings.Repeat(" c\r\n", 70)), []string{large}},
		"as long as may be":        {get("/a", last+"A: "+strings.Repeat("a", MaxHead-len(get("/a", last))-5)+"\r\n"), []string{"200 GET /a 2 0 0 <nil>"}},
		"one byte more":            {get("/a", last+"A: "+strings.Repeat("a", MaxHead-len(get("/a", last))-4)+"\r\n"), []string{large}},
		"a long path":              {get("/"+strings.Repeat("a", 30_000), last), []string{large}},
		"pipelined":                {get("/a", "") + get("/b", "") + get("/c", last), []string{"200 GET /a 0 0 0 <nil>", "200 GET /b 0 0 0 <nil>", "200 GET /c 1 0 0 <nil>"}},
		"a large one behind":       {get("/a", "") + get("/b", headers(3000)), []string{"200 GET /a 0 0 0 <nil>", large}},
		"a body of lines":          {post("/a", "", lines) + get("/b", last), []string{"200 POST /a 1 15000 0 <nil>", "200 GET /b 1 0 0 <nil>"}},
		"a large one after a body": {post("/a", "", lines) + get("/b", headers(3000)), []string{"200 POST /a 1 15000 0 <nil>", large}},
		"a body that is a request": {post("/a", last, get("/b", headers(3000))), []string{fmt.Sprintf("200 POST /a 2 %d 0 <nil>", len(get("/b", headers(3000))))}},
		"chunked, and no more after it": {
			"POST /a HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n3\r\n\n\n\n\r\n0\r\n\r\n" + get("/b", headers(3000)),
			[]string{"200 POST /a 0 3 0 <nil>"},
		},
		"trailers": {
			"POST /a HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + headers(500) + "\r\n",
			[]string{"200 POST /a 0 0 0 <nil>"},
		},
		"OPTIONS * with a body": {
			"OPTIONS * HTTP/1.1\r\n" + host + last + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(lines), lines),
			[]string{"200 "},
		},
		"no request": {"\r\n\r\n", []string{"400 400 Bad Request"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := exchange(t, address, test.sent); strings.Join(got, "\n") != strings.Join(test.want, "\n") {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func none() {}

// TestRequestsInPartAreBounded: incomplete requests block others only for as long as they may take,
// and each answered or lost one makes room.
func TestRequestsInPartAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := 0
		pending := NewPending(8, func() { refused++ })
		l := servePipes(t, pending, echo)
		ask := func(conn net.Conn, text string) string {
			t.Helper()
			go func() { _, _ = io.WriteString(conn, text) }()
			answer, err := io.ReadAll(conn)
			if err != nil {
				t.Error(err)
			}
			line, _, _ := strings.Cut(string(answer), "\r\n")
			return line
		}
		slow := func(text string) net.Conn {
			conn := l.dial()
			if _, err := io.WriteString(conn, text); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			return conn
		}
		first, second := slow("GET / HTTP/1.1\r\n"), slow("POST /slow HTTP/1.1\r\n"+host+"Content-Length: 3\r\n\r\na")
		post := "POST /a HTTP/1.1\r\n" + host + last + "Content-Length: 1\r\n\r\na"
		if got := ask(l.dial(), post); got != "HTTP/1.1 503 Service Unavailable" {
			t.Errorf("a third body: %q", got)
		}
		if got := ask(l.dial(), "GET /a HTTP/1.1\r\n"); got != "HTTP/1.1 503 Service Unavailable" {
			t.Errorf("a third head: %q", got)
		}
		if refused != 2 {
			t.Errorf("%d refusals are told", refused)
		}
		if got := ask(l.dial(), "GET /a HTTP/1.1\r\n"+host+last+"\r\n"); got != "HTTP/1.1 200 OK" {
			t.Errorf("a whole request: %q", got)
		}
		first.Close()
		synctest.Wait()
		if got := ask(l.dial(), post); got != "HTTP/1.1 200 OK" {
			t.Errorf("after one was gone: %q", got)
		}
		began := time.Now()
		if ask(second, ""); time.Since(began) > bodyTime {
			t.Errorf("a body that does not come is waited for for %v", time.Since(began))
		}
		if open, _ := pending.Use(); open != 0 {
			t.Errorf("%d requests are there in part", open)
		}
	})
}

// TestUnreadAnswersAreBounded: beyond the limit, a connection whose client does not read is closed.
func TestUnreadAnswersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := 0
		l := servePipes(t, NewPending(8, func() { refused++ }), echo)
		ask := func() net.Conn {
			conn := l.dial()
			if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\n"+host+last+"\r\n"); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			return conn
		}
		first, second := ask(), ask()
		if answer, err := io.ReadAll(ask()); len(answer) > 0 || err != nil || refused != 1 {
			t.Errorf("a third is answered %q, %v; %d refusals are told", answer, err, refused)
		}
		for _, conn := range []net.Conn{first, second} {
			if answer, err := io.ReadAll(conn); !strings.HasPrefix(string(answer), "HTTP/1.1 200 OK") || err != nil {
				t.Errorf("%q, %v", answer, err)
			}
		}
		if answer, err := io.ReadAll(ask()); !strings.HasPrefix(string(answer), "HTTP/1.1 200 OK") || err != nil {
			t.Errorf("when there is room again: %q, %v", answer, err)
		}
	})
}

// TestABodyThatIsThereHasNoDeadline: once its body is complete, a request may wait as long as it
// likes, and takes no room.
func TestABodyThatIsThereHasNoDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pending := NewPending(16, none)
		l := servePipes(t, pending, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body)
			if open, _ := pending.Use(); open != 0 {
				t.Errorf("%d requests are there in part", open)
			}
			select {
			case <-time.After(10 * bodyTime):
			case <-r.Context().Done():
				t.Error("the request was cancelled")
			}
		})
		conn := l.dial()
		go func() { _, _ = io.WriteString(conn, "POST /a HTTP/1.1\r\n"+host+last+"Content-Length: 1\r\n\r\na") }()
		if answer, err := io.ReadAll(conn); err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 200 OK\r\n")) {
			t.Errorf("got %q, %v", answer, err)
		}
	})
}

// pipes is a listener without the operating system, for tests that control the time.
type pipes chan net.Conn

type pipe struct{ net.Conn }

func (pipe) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }

func (p pipes) Accept() (net.Conn, error) {
	if conn, ok := <-p; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}

func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p pipes) dial() net.Conn {
	client, server := net.Pipe()
	p <- pipe{server}
	return client
}

func servePipes(t *testing.T, pending *Pending, handler http.HandlerFunc) pipes {
	l := make(pipes)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = Serve(&http.Server{Handler: handler}, l, pending)
	}()
	t.Cleanup(func() { close(l); <-done })
	return l
}

// TestAnUpgradeIsNoHTTP: after it, any bytes pass.
func TestAnUpgradeIsNoHTTP(t *testing.T) {
	address := serve(t, NewPending(8, none), func(w http.ResponseWriter, r *http.Request) {
		conn, both, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		text, err := io.ReadAll(io.LimitReader(both, 20_000))
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n%d %v", len(text), err)
	})
	if got := exchange(t, address, "GET / HTTP/1.1\r\n"+host+"\r\n"+strings.Repeat("\n", 20_000)); len(got) != 1 || got[0] != "200 20000 <nil>" {
		t.Errorf("got %q", got)
	}
}

// script is a connection that delivers its bytes a few at a time.
type script struct {
	net.Conn
	in      []byte
	step    int
	answers bytes.Buffer
}

func (s *script) Read(b []byte) (int, error) {
	if len(s.in) == 0 {
		return 0, io.EOF
	}
	n := copy(b, s.in[:min(s.step, len(s.in))])
	s.in = s.in[n:]
	return n, nil
}

func (s *script) Write(b []byte) (int, error) { return s.answers.Write(b) }
func (s *script) RemoteAddr() net.Addr        { return nil }
func (s *script) SetDeadline(time.Time) error { return nil }

// FuzzHead compares net/http's view of a connection with and without the watch: the same requests,
// up to a head that is too large, which must not get through.
func FuzzHead(f *testing.F) {
	for _, seed := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\nHost: a\n\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n\n\n\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n\n\n\n\r\n0\r\nA: b\r\n\r\nGET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n" + headers(100) + "\r\n",
		"GET / HTTP/1.1\r\nA: b\r\n \r\n\r\r\n\t\n\r\n", "\r\n\r\nGET / HTTP/1.1\r\n\r\n", "\n \n\r\r\n",
		"GET / HTTP/1.1\r\nA: " + strings.Repeat("a", MaxHead) + "\r\n\r\n",
	} {
		f.Add([]byte(seed), uint16(1))
		f.Add([]byte(seed), uint16(4096))
	}
	f.Fuzz(func(t *testing.T, sent []byte, step uint16) {
		plain := &script{in: bytes.Clone(sent), step: int(step) + 1}
		want := requests(t, plain, func(int64) {}, false)
		watched := &script{in: bytes.Clone(sent), step: int(step) + 1}
		c := &conn{Conn: watched, part: part{of: NewPending(1, none)}}
		got := requests(t, c, c.expect, true)
		refused := watched.answers.Len() > 0
		if len(got) > len(want) || !refused && len(got) != len(want) {
			t.Fatalf("%d requests of %d, refused: %v", len(got), len(want), refused)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("request %d: %q, want %q", i, got[i], want[i])
			}
		}
		if refused && len(sent) <= MaxHead && bytes.Count(sent, []byte("\n")) <= MaxHeadLines {
			t.Error("what is not too large is refused")
		}
	})
}

// requests returns the requests that net/http finds on a connection.
func requests(t *testing.T, from io.Reader, expect func(int64), bounded bool) (list []string) {
	for reader := bufio.NewReader(from); ; {
		r, err := http.ReadRequest(reader)
		if err != nil {
			return list
		}
		lines := 0
		for _, values := range r.Header {
			lines += len(values)
		}
		if bounded && lines > MaxHeadLines {
			t.Errorf("a request has %d headers", lines)
		}
		expect(r.ContentLength)
		body, err := io.ReadAll(r.Body)
		list = append(list, fmt.Sprintf("%s %s %v %q %v", r.Method, r.RequestURI, r.Header, body, err))
		if err != nil || r.ContentLength < 0 {
			return list
		}
	}
}
