package apptest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Browser is a page in a headless browser with a fake camera and microphone.
type Browser struct {
	Engine
	Name string
}

// Engine is what a make of browser does with its page.
type Engine interface {
	Load(ctx context.Context, url string) error
	// evaluate evaluates an expression, awaiting it, to a string.
	evaluate(ctx context.Context, expression string) (string, error)
	// Prepend runs a script in every document to come, before its own.
	Prepend(ctx context.Context, script string) error
	clickAt(ctx context.Context, x, y float64) error
	// Press presses keys: \r is Enter, \t is Tab.
	Press(ctx context.Context, keys string) error
	picture(ctx context.Context) (png []byte, err error)
}

// Starter starts a browser of one make in a network namespace; "" is this host's.
type Starter func(t *testing.T, namespace, name string) *Browser

// NewBrowser starts a browser where one make will do.
func NewBrowser(t *testing.T, name string) *Browser {
	t.Helper()
	return NewChromium(t, "", name)
}

// instruments let a test see the page's RTCPeerConnections and what the server says,
// and change that; the page itself has no hooks for it.
const instruments = `
	window.connections = [];
	window.failures = 0; // of these
	window.RTCPeerConnection = class extends RTCPeerConnection {
		constructor(...args) {
			super(...args);
			window.connections.push(this);
			this.addEventListener('connectionstatechange', () => { if (this.connectionState === 'failed') window.failures++; });
		}
	};
	// A sixteenth of the picture that the page asks for takes as much less to encode.
	const ask = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
	if (ask) navigator.mediaDevices.getUserMedia = (wish) => ask(wish.video ? { ...wish, video: { ...wish.video, width: 320, height: 180 } } : wish);
	window.heard = []; // the frames' names
	window.tamper = (text) => text;
	const hear = (text) => {
		for (const frame of JSON.parse(text).frames ?? [JSON.parse(text)]) {
			window.heard.push(...Object.keys(frame).filter((name) => name !== 'n'));
		}
		return window.tamper(text);
	};
	window.WebSocket = class extends WebSocket {
		addEventListener(type, listener) {
			super.addEventListener(type, type === 'message' ? ({ data }) => listener({ data: hear(data) }) : listener);
		}
	};
	const json = Response.prototype.json;
	Response.prototype.json = async function () {
		return this.url.endsWith('/v1/signal') ? JSON.parse(hear(await this.text())) : json.call(this);
	};`

// drive takes a browser that is started, and shows what it shows when the test fails.
func drive(t *testing.T, name string, e Engine) *Browser {
	t.Helper()
	b := &Browser{e, name}
	t.Cleanup(func() {
		if t.Failed() {
			b.screenshot(t, filepath.Join(os.TempDir(), "praxisrelay-"+strings.NewReplacer("/", "-", " ", "-").Replace(t.Name()+"-"+name)+".png"))
		}
	})
	b.Prepend(t, instruments)
	return b
}

// launch starts a browser for one test and returns where it can be driven, on its host. A busy
// machine may be too slow for it, so it is tried twice. command makes the command for an empty
// profile.
func launch(t *testing.T, namespace, name string, command func(profile string) *exec.Cmd) *url.URL {
	t.Helper()
	for range 2 {
		c := command(t.TempDir())
		if namespace != "" {
			c = Hosts{namespace}.On(0, c)
		}
		at, end, err := startBrowser(c)
		if err == nil {
			t.Cleanup(end)
			return at
		}
		t.Logf("%s: %v", name, err)
	}
	t.Fatalf("%s: the browser did not start twice", name)
	return nil
}

// startBrowser returns where a browser can be driven, and what ends it with its children.
func startBrowser(c *exec.Cmd) (at *url.URL, end func(), err error) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	output, err := c.StderrPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := c.Start(); err != nil {
		return nil, nil, err
	}
	address, ended := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(output); lines.Scan(); {
			if _, at, ok := strings.Cut(lines.Text(), " listening on ws://"); ok {
				address <- "ws://" + at
				break
			}
		}
		_, _ = io.Copy(io.Discard, output) // until its children have ended too
		_ = c.Wait()
	}()
	end = func() {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
		<-ended
	}
	select {
	case text := <-address:
		if at, err = url.Parse(text); err == nil {
			return at, end, nil
		}
	case <-ended:
		err = errors.New("the browser ended before it could be driven")
	case <-time.After(time.Minute):
		err = errors.New("the browser was not ready in a minute")
	}
	end()
	return nil, nil, err
}

// within does something with the browser that must not take long.
func (b *Browser) within(t *testing.T, limit time.Duration, do func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := do(ctx); err != nil {
		t.Fatalf("%s: %v", b.Name, err)
	}
}

func (b *Browser) Prepend(t *testing.T, script string) {
	t.Helper()
	b.within(t, time.Minute, func(ctx context.Context) error { return b.Engine.Prepend(ctx, script) })
}

func (b *Browser) Load(t *testing.T, url string) {
	t.Helper()
	b.within(t, time.Minute, func(ctx context.Context) error { return b.Engine.Load(ctx, url) })
}

// Eval evaluates a JavaScript expression, awaiting it, into out.
func (b *Browser) Eval(t *testing.T, expression string, out any) {
	t.Helper()
	b.within(t, time.Minute, func(ctx context.Context) error { return b.evaluate(ctx, expression, out) })
}

func (b *Browser) evaluate(ctx context.Context, expression string, out any) error {
	text, err := b.Engine.evaluate(ctx, `(async () => JSON.stringify(await (`+expression+`)) ?? 'null')()`)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal([]byte(text), out)
}

// Wait waits until a JavaScript expression is true.
func (b *Browser) Wait(t *testing.T, expression string) {
	t.Helper()
	b.until(t, expression, nil)
}

// until waits until a JavaScript expression has a value that is true, and takes it.
func (b *Browser) until(t *testing.T, expression string, out any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		var got struct {
			True  bool
			Value json.RawMessage
		}
		err := b.evaluate(ctx, `Promise.resolve(`+expression+`).then((Value) => ({ True: Boolean(Value), Value }))`, &got)
		if err == nil && got.True {
			if out != nil {
				if err := json.Unmarshal(got.Value, out); err != nil {
					t.Fatalf("%s: %v", b.Name, err)
				}
			}
			return
		}
		select {
		case <-again.C: // an error may be that of a document which goes
		case <-ctx.Done():
			var text string
			b.Eval(t, "document.body.innerText", &text)
			t.Fatalf("%s: %s did not become true: %v; the page says: %s", b.Name, expression, err, text)
		}
	}
}

// Click clicks on an element as soon as it can be seen and nothing covers it.
func (b *Browser) Click(t *testing.T, selector string) {
	t.Helper()
	var at struct{ X, Y float64 }
	b.until(t, fmt.Sprintf(`(() => {
		const element = document.querySelector(%q);
		element?.scrollIntoView({ block: 'nearest', behavior: 'instant' });
		const box = element?.getBoundingClientRect();
		const X = box?.left + box?.width / 2, Y = box?.top + box?.height / 2;
		return box && element.contains(document.elementFromPoint(X, Y)) && { X, Y };
	})()`, selector), &at)
	b.within(t, time.Minute, func(ctx context.Context) error { return b.clickAt(ctx, at.X, at.Y) })
}

// Press presses keys wherever the focus is: \r is Enter, \t is Tab.
func (b *Browser) Press(t *testing.T, keys string) {
	t.Helper()
	b.within(t, time.Minute, func(ctx context.Context) error { return b.Engine.Press(ctx, keys) })
}

// Write writes into a field, over what is there.
func (b *Browser) Write(t *testing.T, selector, text string) {
	t.Helper()
	b.Click(t, selector)
	b.Eval(t, fmt.Sprintf(`document.querySelector(%q).select()`, selector), nil)
	b.Press(t, text)
}

// Text is what an element that can be seen says.
func (b *Browser) Text(t *testing.T, selector string) (text string) {
	t.Helper()
	b.until(t, fmt.Sprintf(`((element) => element?.checkVisibility() && element.innerText)(document.querySelector(%q))`, selector), &text)
	return text
}

// Open opens an invitation's link, with options for the page.
func (b *Browser) Open(t *testing.T, link, query string) {
	t.Helper()
	b.Load(t, "about:blank")
	b.Load(t, strings.Replace(link, "#", "?"+query+"#", 1))
	b.Wait(t, `document.querySelector('#code').checkVisibility()`)
}

func (b *Browser) Join(t *testing.T) {
	t.Helper()
	b.Click(t, "#join button")
}

// LetIn waits until somebody waits, and lets them in.
func (b *Browser) LetIn(t *testing.T) {
	t.Helper()
	b.Wait(t, `!document.querySelector('#admit').disabled`) // it rests where another one waits than before
	b.Click(t, "#admit")
}

func (b *Browser) screenshot(t *testing.T, file string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if png, err := b.picture(ctx); err == nil {
		if err := os.WriteFile(file, png, 0o600); err == nil {
			t.Logf("%s: see %s", b.Name, file)
		}
	}
}

// media is what getStats says of the live connection.
type Media struct {
	Local, Remote string // candidate types of the nominated pair
	RelayProtocol string
	Inbound       uint32 // SSRC of the video that arrives
	Outbound      uint32 // SSRC of the video that is sent
	Frames        int    // decoded
	Sound         int    // packets of it that arrived
	URL           string // of the TURN server
}

const ReadStats = `(async () => {
	const stats = [...(await window.connections.at(-1).getStats()).values()];
	const byID = (id) => stats.find((s) => s.id === id) ?? {};
	const pair = byID(stats.find((s) => s.type === 'transport')?.selectedCandidatePairId);
	const local = byID(pair.localCandidateId), remote = byID(pair.remoteCandidateId);
	const media = (kind) => (type) => stats.find((s) => s.type === type && s.kind === kind) ?? {};
	const video = media('video'), audio = media('audio');
	return {
		Local: local.candidateType, Remote: remote.candidateType, RelayProtocol: local.relayProtocol, URL: local.url,
		Inbound: video('inbound-rtp').ssrc, Outbound: video('outbound-rtp').ssrc, Frames: video('inbound-rtp').framesDecoded,
		Sound: audio('inbound-rtp').packetsReceived,
	};
})()`

// Media waits for a nominated pair, which Firefox does not always have, and returns its stats.
func (b *Browser) Media(t *testing.T) (m Media) {
	t.Helper()
	b.until(t, "("+ReadStats+").then((m) => m.Local && m)", &m)
	return m
}

// Arriving waits until more frames of the other's video have arrived than before.
func (b *Browser) Arriving(t *testing.T, more int) {
	t.Helper()
	before := b.Media(t).Frames
	b.Wait(t, fmt.Sprintf(`(%s).then((m) => m.Frames >= %d)`, ReadStats, before+more))
}

// Is fails the test unless a JavaScript expression is true now.
func (b *Browser) Is(t *testing.T, expression string) {
	t.Helper()
	var so bool
	if b.Eval(t, expression, &so); !so {
		var said string
		b.Eval(t, "document.body.innerText", &said)
		t.Errorf("%s: %s is not so; the page says: %s", b.Name, expression, said)
	}
}

// Talks waits until a call flows.
func (b *Browser) Talks(t *testing.T) {
	t.Helper()
	b.Wait(t, IsConnected)
	b.Wait(t, Flowing)
}

// Leave runs a script with which another document begins, and waits for that.
func (b *Browser) Leave(t *testing.T, script string) {
	t.Helper()
	b.Eval(t, `(window.leaving = true, void setTimeout(() => { `+script+`; }))`, nil)
	b.Wait(t, `document.readyState === 'complete' && !window.leaving && location.protocol === 'https:'`)
}

func (b *Browser) Reload(t *testing.T) {
	t.Helper()
	b.Leave(t, "location.reload()")
}
