package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser is one headless Chromium with a fake camera and microphone.
type browser struct {
	ctx  context.Context
	name string
}

// instruments let a test see the page's RTCPeerConnections and what the server says,
// and change that; the page itself has no hooks for it.
const instruments = `
	window.connections = [];
	window.RTCPeerConnection = class extends RTCPeerConnection {
		constructor(...args) { super(...args); window.connections.push(this); }
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

func newBrowser(t *testing.T, name string) *browser {
	t.Helper()
	options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(tool(t, "chromium", "chromium")), chromedp.UserDataDir(t.TempDir())}
	for name, value := range browserFlags {
		options = append(options, chromedp.Flag(name, value))
	}
	return drive(t, name, func() (context.Context, context.CancelFunc) {
		return chromedp.NewExecAllocator(context.Background(), options...)
	})
}

var browserFlags = map[string]any{
	"headless": true, "no-sandbox": true, "disable-gpu": true, "no-first-run": true, "lang": "en",
	"disable-quic": true, "disable-background-networking": true, "disable-component-update": true, "disable-sync": true,
	"disable-dev-shm-usage": true, "use-fake-device-for-media-stream": true, "use-fake-ui-for-media-stream": true,
	"ignore-certificate-errors": true, // the test's own certificate, for https and turns
}

// drive takes a browser that allocate starts or finds, and closes it when the test ends.
func drive(t *testing.T, name string, allocate func() (context.Context, context.CancelFunc)) *browser {
	t.Helper()
	allocator, stop := allocate()
	ctx, quit := chromedp.NewContext(allocator)
	b := &browser{ctx, name}
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventConsoleAPICalled:
			var words []string
			for _, arg := range e.Args {
				words = append(words, string(arg.Value))
			}
			t.Logf("%s console: %s", name, strings.Join(words, " "))
		case *runtime.EventExceptionThrown:
			t.Errorf("%s: %s", name, e.ExceptionDetails.Error())
		}
	})
	t.Cleanup(func() {
		if t.Failed() {
			b.screenshot(t, filepath.Join(os.TempDir(), "praxisrelay-"+strings.ReplaceAll(t.Name(), "/", "-")+"-"+name+".png"))
		}
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("%s did not close: %v", name, err)
		}
		quit()
		stop()
	})
	b.do(t, chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(instruments).Do(ctx)
		return err
	}))
	return b
}

func (b *browser) do(t *testing.T, actions ...chromedp.Action) {
	t.Helper()
	// A first Run with a deadline would end the browser with it.
	if chromedp.FromContext(b.ctx).Browser == nil {
		if err := chromedp.Run(b.ctx); err != nil {
			t.Fatalf("%s: %v", b.name, err)
		}
	}
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		t.Fatalf("%s: %v", b.name, err)
	}
}

// eval evaluates a JavaScript expression, awaiting it, into out.
func (b *browser) eval(t *testing.T, expression string, out any) {
	t.Helper()
	b.do(t, chromedp.Evaluate(expression, out, func(p *runtime.EvaluateParams) *runtime.EvaluateParams {
		return p.WithAwaitPromise(true)
	}))
}

// wait waits until a JavaScript expression is true.
func (b *browser) wait(t *testing.T, expression string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 40*time.Second)
	defer cancel()
	if err := chromedp.Run(ctx, chromedp.Poll(expression, nil, chromedp.WithPollingInterval(100*time.Millisecond))); err != nil {
		var status string
		b.eval(t, "document.body.innerText", &status)
		t.Fatalf("%s: %s did not become true: %v; the page says: %s", b.name, expression, err, status)
	}
}

// open opens an invitation's link, with options for the page.
func (b *browser) open(t *testing.T, link, query string) {
	t.Helper()
	b.do(t, chromedp.Navigate("about:blank"), chromedp.Navigate(strings.Replace(link, "#", "?"+query+"#", 1)),
		chromedp.WaitVisible("#code"))
}

func (b *browser) join(t *testing.T) {
	t.Helper()
	b.do(t, chromedp.Click("#join button"))
}

// letIn waits until somebody waits, and lets them in.
func (b *browser) letIn(t *testing.T) {
	t.Helper()
	b.wait(t, `!document.querySelector('#admission').hidden`)
	b.do(t, chromedp.Click("#admit"))
}

func (b *browser) screenshot(t *testing.T, file string) {
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	var png []byte
	if err := chromedp.Run(ctx, chromedp.CaptureScreenshot(&png)); err == nil {
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
	URL           string // of the TURN server
}

const readStats = `(async () => {
	const stats = [...(await window.connections.at(-1).getStats()).values()];
	const byID = (id) => stats.find((s) => s.id === id) ?? {};
	const pair = byID(stats.find((s) => s.type === 'transport').selectedCandidatePairId);
	const local = byID(pair.localCandidateId), remote = byID(pair.remoteCandidateId);
	const video = (type) => stats.find((s) => s.type === type && s.kind === 'video') ?? {};
	return {
		Local: local.candidateType, Remote: remote.candidateType, RelayProtocol: local.relayProtocol, URL: local.url,
		Inbound: video('inbound-rtp').ssrc, Outbound: video('outbound-rtp').ssrc, Frames: video('inbound-rtp').framesDecoded,
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

func TestConsultationThroughTheRelayAlone(t *testing.T) {
	for _, transport := range []string{"udp", "tcp", "tls"} {
		t.Run(transport, func(t *testing.T) {
			info, _ := startDemo(t)
			doctor, patient := newBrowser(t, "doctor"), newBrowser(t, "patient")
			query := "policy=relay&transport=" + transport
			doctor.open(t, info.Doctor.Link, query)
			patient.open(t, info.Patient.Link, query)
			patient.do(t, chromedp.SendKeys("#name", "Ada L."))
			patient.join(t)
			patient.wait(t, `document.querySelector('#status').textContent.includes('Waiting')`)
			doctor.join(t)
			doctor.letIn(t)
			for _, b := range []*browser{doctor, patient} {
				b.wait(t, isConnected)
				b.wait(t, fmt.Sprintf(`(%s).then((m) => m.Frames > 0)`, readStats))
			}
			d, p := doctor.media(t), patient.media(t)
			t.Logf("doctor %+v, patient %+v", d, p)
			server := map[string]string{"udp": info.TURNUDP, "tcp": info.TURNTCP, "tls": info.HTTPS}[transport]
			for name, m := range map[string]media{"doctor": d, "patient": p} {
				if m.Local != "relay" || m.Remote != "relay" {
					t.Errorf("%s: the nominated pair is %s to %s", name, m.Local, m.Remote)
				}
				if m.RelayProtocol != transport || !strings.Contains(m.URL, server) {
					t.Errorf("%s: relayed over %s of %s, want %s of %s", name, m.RelayProtocol, m.URL, transport, server)
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
			patient.do(t, chromedp.Click("#leave"))
			doctor.wait(t, `document.querySelector('#status').textContent.includes('hung up')`)
			patient.join(t)
			doctor.letIn(t)
			doctor.wait(t, isConnected)
			patient.wait(t, isConnected)
			patient.wait(t, fmt.Sprintf(`(%s).then((m) => m.Frames > 0)`, readStats))
		})
	}
}

// watchRequests notes the address of every HTTP request and WebSocket of the page
// from here on.
func (b *browser) watchRequests(t *testing.T) (seen func() []string) {
	t.Helper()
	var mu sync.Mutex
	var urls []string
	note := func(url string) {
		mu.Lock()
		defer mu.Unlock()
		urls = append(urls, url)
	}
	chromedp.ListenTarget(b.ctx, func(event any) {
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			note(e.Request.URL)
		case *network.EventWebSocketCreated:
			note(e.URL)
		}
	})
	b.do(t, network.Enable())
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(urls)
	}
}
