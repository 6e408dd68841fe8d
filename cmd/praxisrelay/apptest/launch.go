package apptest

import (
	"bufio"
	"context"
	"errors"
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

// instruments let a test see the page's RTCPeerConnections and the server's frames, and change the
// frames. The page itself has no hooks for tests.
const instruments = `
	window.connections = [];
	window.failures = 0; // connections that failed
	window.RTCPeerConnection = class extends RTCPeerConnection {
		constructor(...args) {
			super(...args);
			window.connections.push(this);
			this.addEventListener('connectionstatechange', () => { if (this.connectionState === 'failed') window.failures++; });
		}
	};
	// A sixteenth of the picture that the page asks for takes a sixteenth of the time to encode.
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

// drive prepares a started browser, and takes a screenshot if the test fails.
func drive(t *testing.T, name string, e Engine) *Browser {
	t.Helper()
	b := &Browser{e, name}
	t.Cleanup(func() {
		if t.Failed() {
			b.screenshot(t, filepath.Join(os.TempDir(),
				"praxisrelay-"+strings.NewReplacer("/", "-", " ", "-").Replace(t.Name()+"-"+name)+".png"))
		}
	})
	b.Prepend(t, instruments)
	return b
}

// launch starts a browser for one test and returns the address for driving it, as seen from the
// browser's host. It tries twice, because a busy machine may be too slow. command returns the
// command for an empty profile.
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

// startBrowser returns the address for driving a browser, and a function that ends it with its
// children.
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
		_, _ = io.Copy(io.Discard, output) // until its children have ended as well
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

func (b *Browser) screenshot(t *testing.T, file string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if png, err := b.picture(ctx); err == nil {
		if err := os.WriteFile(file, png, 0o600); err == nil {
			t.Logf("%s: see %s", b.Name, file)
		}
	}
}
