package main

import (
	"bufio"
	"context"
	"encoding/json"
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

// browser is a page in a headless browser with a fake camera and microphone.
type browser struct {
	engine
	name string
}

// engine is what a make of browser does with its page.
type engine interface {
	load(ctx context.Context, url string) error
	// evaluate evaluates an expression, awaiting it, to a string.
	evaluate(ctx context.Context, expression string) (string, error)
	// prepend runs a script in every document to come, before its own.
	prepend(ctx context.Context, script string) error
	clickAt(ctx context.Context, x, y float64) error
	// press presses keys: \r is Enter, \t is Tab.
	press(ctx context.Context, keys string) error
	picture(ctx context.Context) (png []byte, err error)
}

// starter starts a browser of one make in a network namespace; "" is this host's.
type starter func(t *testing.T, namespace, name string) *browser

// newBrowser starts a browser where one make will do.
func newBrowser(t *testing.T, name string) *browser {
	t.Helper()
	return newChromium(t, "", name)
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
func drive(t *testing.T, name string, e engine) *browser {
	t.Helper()
	b := &browser{e, name}
	t.Cleanup(func() {
		if t.Failed() {
			b.screenshot(t, filepath.Join(os.TempDir(), "praxisrelay-"+strings.NewReplacer("/", "-", " ", "-").Replace(t.Name()+"-"+name)+".png"))
		}
	})
	b.prepend(t, instruments)
	return b
}

// launch starts a browser and returns where it can be driven, on its host. A busy machine
// may be too slow for it, so it is tried twice. command makes the command for an empty profile.
func launch(t *testing.T, namespace, name string, command func(profile string) *exec.Cmd) *url.URL {
	t.Helper()
	for range 2 {
		c := command(t.TempDir())
		if namespace != "" {
			c = hosts{namespace}.on(0, c)
		}
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		output, err := c.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
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
		end := func() {
			_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
			<-ended
		}
		select {
		case text := <-address:
			t.Cleanup(end)
			at, err := url.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			return at
		case <-ended:
		case <-time.After(time.Minute):
		}
		end()
		t.Logf("%s: the browser did not start", name)
	}
	t.Fatalf("%s: the browser did not start twice", name)
	return nil
}

// within does something with the browser that must not take long.
func (b *browser) within(t *testing.T, limit time.Duration, do func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := do(ctx); err != nil {
		t.Fatalf("%s: %v", b.name, err)
	}
}

func (b *browser) prepend(t *testing.T, script string) {
	t.Helper()
	b.within(t, time.Minute, func(ctx context.Context) error { return b.engine.prepend(ctx, script) })
}

func (b *browser) load(t *testing.T, url string) {
	t.Helper()
	b.within(t, time.Minute, func(ctx context.Context) error { return b.engine.load(ctx, url) })
}

// eval evaluates a JavaScript expression, awaiting it, into out.
func (b *browser) eval(t *testing.T, expression string, out any) {
	t.Helper()
	b.within(t, time.Minute, func(ctx context.Context) error { return b.evaluate(ctx, expression, out) })
}

func (b *browser) evaluate(ctx context.Context, expression string, out any) error {
	text, err := b.engine.evaluate(ctx, `(async () => JSON.stringify(await (`+expression+`)) ?? 'null')()`)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal([]byte(text), out)
}

// wait waits until a JavaScript expression is true.
func (b *browser) wait(t *testing.T, expression string) {
	t.Helper()
	b.until(t, expression, nil)
}

// until waits until a JavaScript expression has a value that is true, and takes it.
func (b *browser) until(t *testing.T, expression string, out any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
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
					t.Fatalf("%s: %v", b.name, err)
				}
			}
			return
		}
		select {
		case <-again.C: // an error may be that of a document which goes
		case <-ctx.Done():
			var text string
			b.eval(t, "document.body.innerText", &text)
			t.Fatalf("%s: %s did not become true: %v; the page says: %s", b.name, expression, err, text)
		}
	}
}

// click clicks on an element as soon as it can be seen and nothing covers it.
func (b *browser) click(t *testing.T, selector string) {
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

// press presses keys wherever the focus is: \r is Enter, \t is Tab.
func (b *browser) press(t *testing.T, keys string) {
	t.Helper()
	b.within(t, time.Minute, func(ctx context.Context) error { return b.engine.press(ctx, keys) })
}

// write writes into a field, over what is there.
func (b *browser) write(t *testing.T, selector, text string) {
	t.Helper()
	b.click(t, selector)
	b.eval(t, fmt.Sprintf(`document.querySelector(%q).select()`, selector), nil)
	b.press(t, text)
}

// text is what an element that can be seen says.
func (b *browser) text(t *testing.T, selector string) (text string) {
	t.Helper()
	b.until(t, fmt.Sprintf(`((element) => element?.checkVisibility() && element.innerText)(document.querySelector(%q))`, selector), &text)
	return text
}

// open opens an invitation's link, with options for the page.
func (b *browser) open(t *testing.T, link, query string) {
	t.Helper()
	b.load(t, "about:blank")
	b.load(t, strings.Replace(link, "#", "?"+query+"#", 1))
	b.wait(t, `document.querySelector('#code').checkVisibility()`)
}

func (b *browser) join(t *testing.T) {
	t.Helper()
	b.click(t, "#join button")
}

// letIn waits until somebody waits, and lets them in.
func (b *browser) letIn(t *testing.T) {
	t.Helper()
	b.wait(t, `!document.querySelector('#admit').disabled`) // it rests where another one waits than before
	b.click(t, "#admit")
}

func (b *browser) screenshot(t *testing.T, file string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if png, err := b.picture(ctx); err == nil {
		if err := os.WriteFile(file, png, 0o600); err == nil {
			t.Logf("%s: see %s", b.name, file)
		}
	}
}

// media is what getStats says of the live connection.
type media struct {
	Local, Remote string // candidate types of the nominated pair
	RelayProtocol string
	Inbound       uint32 // SSRC of the video that arrives
	Outbound      uint32 // SSRC of the video that is sent
	Frames        int    // decoded
	Sound         int    // packets of it that arrived
	URL           string // of the TURN server
}

const readStats = `(async () => {
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

func (b *browser) media(t *testing.T) (m media) {
	t.Helper()
	b.eval(t, readStats, &m)
	return m
}

const isConnected = `window.connections.at(-1)?.connectionState === 'connected'`

// arriving waits until more frames of the other's video have arrived than before.
func (b *browser) arriving(t *testing.T, more int) {
	t.Helper()
	before := b.media(t).Frames
	b.wait(t, fmt.Sprintf(`(%s).then((m) => m.Frames >= %d)`, readStats, before+more))
}

// TestConsultationThroughTheRelayAlone: both makes of browser, in both seats, over every
// transport, and each with its like.
func TestConsultationThroughTheRelayAlone(t *testing.T) {
	t.Parallel()
	file, folder := writeConfig(t)
	// Firefox uses TURN over TLS only by name.
	edit(t, file, "name: 127.0.0.1", "name: localhost")
	certify(t, folder, "localhost")
	s := newServed(folder)
	s.daemon = start(t, program("serve", "--config", file), true, s.serving)
	chromium, firefox := newChromium(t, "", "chromium"), newFirefox(t, "", "firefox")
	chromiumToo, firefoxToo := newChromium(t, "", "another chromium"), newFirefox(t, "", "another firefox")
	for _, call := range []struct {
		transport       string
		doctor, patient *browser
	}{
		{"udp", chromium, firefox}, {"udp", firefox, chromium}, {"udp", chromium, chromiumToo},
		{"tcp", chromium, firefox}, {"tcp", firefox, chromium},
		{"tls", chromium, firefox}, {"tls", firefox, chromium}, {"tls", firefox, firefoxToo},
	} {
		doctor, patient, transport := call.doctor, call.patient, call.transport
		t.Run(doctor.name+" to "+patient.name+" over "+transport, func(t *testing.T) {
			created, err := s.admin.Create(t.Context(), time.Now(), time.Now().Add(time.Hour), "")
			if err != nil {
				t.Fatal(err)
			}
			query := "policy=relay&transport=" + transport
			doctor.open(t, created.Seats[0].Link, query)
			patient.open(t, created.Seats[1].Link, query)
			patient.write(t, "#name", "Ada L.")
			patient.join(t)
			patient.wait(t, isWaiting)
			doctor.join(t)
			doctor.letIn(t)
			for _, b := range []*browser{doctor, patient} {
				b.wait(t, isConnected)
				b.wait(t, flowing)
			}
			d, p := doctor.media(t), patient.media(t)
			t.Logf("doctor %+v, patient %+v", d, p)
			for b, m := range map[*browser]media{doctor: d, patient: p} {
				// A check from the other's relayed address may come before its candidate.
				if m.Local != "relay" || m.Remote != "relay" && m.Remote != "prflx" {
					t.Errorf("%s: the nominated pair is %s to %s", b.name, m.Local, m.Remote)
				}
				if m.RelayProtocol != transport {
					t.Errorf("%s: relayed over %s, want %s", b.name, m.RelayProtocol, transport)
				}
			}
			if d.Inbound != p.Outbound || p.Inbound != d.Outbound || d.Inbound == d.Outbound {
				t.Errorf("the video that arrives is not the other's: %+v, %+v", d, p)
			}
			for range 3 {
				doctor.arriving(t, 15)
				patient.arriving(t, 15)
			}
			doctor.wait(t, `document.querySelector('#status').textContent === 'Connected with Ada L.'`)

			// Hanging up is told at once, and joining again makes a new call.
			patient.click(t, "#leave")
			doctor.wait(t, hungUp)
			patient.click(t, "#again")
			doctor.letIn(t)
			doctor.wait(t, isConnected)
			patient.wait(t, isConnected)
			patient.wait(t, flowing)
			patient.load(t, "about:blank")
			doctor.load(t, "about:blank")
		})
	}
}
