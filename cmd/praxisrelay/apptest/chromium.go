package apptest

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// Chromium is driven over the DevTools protocol.
type Chromium struct {
	Tab context.Context // of chromedp
}

var chromiumFlags = []string{
	"--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--lang=en", "--remote-debugging-port=0",
	"--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync",
	"--disable-dev-shm-usage", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
}

// NewChromium returns a Chromium that accepts the test's certificates, for https and turns. On this
// host it is a window with its own profile, in a process that all tests share.
func NewChromium(t *testing.T, namespace, name string) *Browser {
	t.Helper()
	if namespace != "" {
		return StartChromium(t, namespace, name, nil, ignoreErrors)
	}
	program := Tool(t, "chromium", "chromium")
	browser, err := sharedChromium(program)
	if err != nil {
		t.Fatal(err)
	}
	every := cdp.WithExecutor(browser, chromedp.FromContext(browser).Browser)
	profile, err := target.CreateBrowserContext().Do(every)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.DisposeBrowserContext(profile).Do(every) })
	id, err := target.CreateTarget("about:blank").WithBrowserContextID(profile).WithNewWindow(true).Do(every)
	if err != nil {
		t.Fatal(err)
	}
	return window(t, browser, name, chromedp.WithTargetID(id))
}

// StartChromium starts a Chromium for this test only, with additional environment variables and
// flags.
func StartChromium(t *testing.T, namespace, name string, environment []string, flags ...string) *Browser {
	t.Helper()
	program := Tool(t, "chromium", "chromium")
	at := launch(t, namespace, name, func(profile string) *exec.Cmd {
		return chromiumCommand(program, profile, environment, flags...)
	})
	at.Host = tunnel(t, namespace, at.Host)
	allocator, stop := chromedp.NewRemoteAllocator(context.Background(), at.String(), chromedp.NoModifyURL)
	t.Cleanup(stop)
	return window(t, allocator, name)
}

const ignoreErrors = "--ignore-certificate-errors"

func chromiumCommand(program, profile string, environment []string, flags ...string) *exec.Cmd {
	c := exec.Command(program, slices.Concat(chromiumFlags, flags, []string{"--user-data-dir=" + profile})...)
	c.Env = append(os.Environ(), environment...)
	return c
}

// endShared ends the browser that tests share, if it was started.
var endShared = func() {}

// sharedChromium returns the browser that tests share, and starts it first if necessary.
var sharedChromium = func() func(program string) (context.Context, error) {
	var once sync.Once
	var browser context.Context
	var failure error
	return func(program string) (context.Context, error) {
		once.Do(func() {
			var profile string
			if profile, failure = os.MkdirTemp("", "praxisrelay-chromium-"); failure != nil {
				return
			}
			at, end, err := startBrowser(chromiumCommand(program, profile, nil, ignoreErrors))
			if failure = err; err != nil {
				os.RemoveAll(profile)
				return
			}
			allocator, stop := chromedp.NewRemoteAllocator(context.Background(), at.String(),
				chromedp.NoModifyURL)
			browser, _ = chromedp.NewContext(allocator)
			endShared = func() {
				stop()
				end()
				os.RemoveAll(profile)
			}
			failure = chromedp.Run(browser)
		})
		return browser, failure
	}
}()

// window opens a window in a browser.
func window(t *testing.T, browser context.Context, name string, options ...chromedp.ContextOption) *Browser {
	t.Helper()
	tab, closeTab := chromedp.NewContext(browser, options...)
	t.Cleanup(closeTab)
	chromedp.ListenTarget(tab, func(event any) {
		switch e := event.(type) {
		case *runtime.EventConsoleAPICalled:
			var words []string
			for _, arg := range e.Args {
				words = append(words, string(arg.Value))
			}
			t.Logf("%s console: %s", name, strings.Join(words, " "))
		case *runtime.EventExceptionThrown:
			t.Errorf("%s: %s", name, e.ExceptionDetails.Error())
		case *page.EventJavascriptDialogOpening: // the page asks before a call is left
			go func() { _ = chromedp.Run(tab, page.HandleJavaScriptDialog(true)) }()
		}
	})
	if err := chromedp.Run(tab); err != nil { // no deadline: its end would end the browser
		t.Fatalf("%s: %v", name, err)
	}
	return drive(t, name, &Chromium{tab})
}

func (c *Chromium) run(ctx context.Context, actions ...chromedp.Action) error {
	deadline, _ := ctx.Deadline()
	within, cancel := context.WithDeadline(c.Tab, deadline)
	defer cancel()
	return chromedp.Run(within, actions...)
}

func (c *Chromium) load(ctx context.Context, url string) error {
	return c.run(ctx, chromedp.Navigate(url))
}

func (c *Chromium) evaluate(ctx context.Context, expression string) (text string, err error) {
	err = c.run(ctx, chromedp.Evaluate(expression, &text,
		func(p *runtime.EvaluateParams) *runtime.EvaluateParams {
			return p.WithAwaitPromise(true)
		}))
	return text, err
}

func (c *Chromium) prepend(ctx context.Context, script string) error {
	return c.run(ctx, chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(script).Do(ctx)
		return err
	}))
}

func (c *Chromium) clickAt(ctx context.Context, x, y float64) error {
	return c.run(ctx, chromedp.MouseClickXY(x, y))
}

func (c *Chromium) press(ctx context.Context, keys string) error {
	return c.run(ctx, chromedp.KeyEvent(keys))
}

func (c *Chromium) picture(ctx context.Context) (png []byte, err error) {
	return png, c.run(ctx, chromedp.CaptureScreenshot(&png))
}

// Do runs actions that only Chromium supports.
func (b *Browser) Do(t *testing.T, actions ...chromedp.Action) {
	t.Helper()
	b.within(t, time.Minute, func(ctx context.Context) error {
		return b.Engine.(*Chromium).run(ctx, actions...)
	})
}

// WatchRequests records the URL of every HTTP request and WebSocket of the page from now on. Only
// Chromium reports them.
func (b *Browser) WatchRequests(t *testing.T) (seen func() []string) {
	t.Helper()
	var mu sync.Mutex
	var urls []string
	note := func(url string) {
		mu.Lock()
		defer mu.Unlock()
		urls = append(urls, url)
	}
	chromedp.ListenTarget(b.Engine.(*Chromium).Tab, func(event any) {
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			note(e.Request.URL)
		case *network.EventWebSocketCreated:
			note(e.URL)
		}
	})
	b.Do(t, network.Enable())
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(urls)
	}
}
