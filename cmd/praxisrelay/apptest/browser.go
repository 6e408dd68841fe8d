package apptest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// Browser is a page in a headless browser with a fake camera and microphone.
type Browser struct {
	Engine
	Name string
}

// Engine drives the page of one make of browser.
type Engine interface {
	load(ctx context.Context, url string) error
	// evaluate evaluates an expression, awaits it, and returns a string.
	evaluate(ctx context.Context, expression string) (string, error)
	// prepend runs a script before the document's own in every later document.
	prepend(ctx context.Context, script string) error
	clickAt(ctx context.Context, x, y float64) error
	// press presses keys: \r is Enter, \t is Tab.
	press(ctx context.Context, keys string) error
	picture(ctx context.Context) (png []byte, err error)
}

// Starter starts a browser of one make in a network namespace; "" is this host's.
type Starter func(t *testing.T, namespace, name string) *Browser

// NewBrowser starts a browser for tests that need no particular make.
func NewBrowser(t *testing.T, name string) *Browser {
	t.Helper()
	return NewChromium(t, "", name)
}

// within limits how long something in the browser may take.
func (b *Browser) within(t *testing.T, limit time.Duration, do func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := do(ctx); err != nil {
		t.Fatalf("%s: %v", b.Name, err)
	}
}

// Prepend runs a script before the page's own in every document that is loaded from now on.
func (b *Browser) Prepend(t *testing.T, script string) {
	t.Helper()
	b.within(t, time.Minute, func(ctx context.Context) error { return b.Engine.prepend(ctx, script) })
}

// Load loads a URL and waits until it is loaded.
func (b *Browser) Load(t *testing.T, url string) {
	t.Helper()
	b.within(t, time.Minute, func(ctx context.Context) error { return b.Engine.load(ctx, url) })
}

// Eval evaluates a JavaScript expression, awaits it, and stores the value in out.
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

// until waits until a JavaScript expression has a truthy value, and stores it in out.
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
		err := b.evaluate(ctx, `Promise.resolve(`+expression+
			`).then((Value) => ({ True: Boolean(Value), Value }))`, &got)
		if err == nil && got.True {
			if out != nil {
				if err := json.Unmarshal(got.Value, out); err != nil {
					t.Fatalf("%s: %v", b.Name, err)
				}
			}
			return
		}
		select {
		case <-again.C: // an error may come from a document that is being left
		case <-ctx.Done():
			var text string
			b.Eval(t, "document.body.innerText", &text)
			t.Fatalf("%s: %s did not become true: %v; the page says: %s", b.Name, expression, err, text)
		}
	}
}

// Click clicks on an element as soon as it is visible and not covered.
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

// Press presses keys in the focused element: \r is Enter, \t is Tab.
func (b *Browser) Press(t *testing.T, keys string) {
	t.Helper()
	b.within(t, time.Minute, func(ctx context.Context) error { return b.Engine.press(ctx, keys) })
}

// Write replaces the text in a field.
func (b *Browser) Write(t *testing.T, selector, text string) {
	t.Helper()
	b.Click(t, selector)
	b.Eval(t, fmt.Sprintf(`document.querySelector(%q).select()`, selector), nil)
	b.Press(t, text)
}

// Text waits until an element is visible and returns its text.
func (b *Browser) Text(t *testing.T, selector string) (text string) {
	t.Helper()
	b.until(t, fmt.Sprintf(`((element) => element?.checkVisibility() && element.innerText)(document.querySelector(%q))`, selector), &text)
	return text
}

// Open opens an invitation's link, with options for the page in its query.
func (b *Browser) Open(t *testing.T, link, query string) {
	t.Helper()
	b.Load(t, "about:blank")
	b.Load(t, strings.Replace(link, "#", "?"+query+"#", 1))
	b.Wait(t, `document.querySelector('#code').checkVisibility()`)
}

// Join presses the page's button for joining.
func (b *Browser) Join(t *testing.T) {
	t.Helper()
	b.Click(t, "#join button")
}

// LetIn waits until somebody is waiting, and lets them in.
func (b *Browser) LetIn(t *testing.T) {
	t.Helper()
	// The button is disabled for a moment when another person starts waiting.
	b.Wait(t, `!document.querySelector('#admit').disabled`)
	b.Click(t, "#admit")
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

// WaitForCall waits until the call is connected and video arrives.
func (b *Browser) WaitForCall(t *testing.T) {
	t.Helper()
	b.Wait(t, IsConnected)
	b.Wait(t, Flowing)
}

// Leave runs a script that loads another document, and waits until that is loaded.
func (b *Browser) Leave(t *testing.T, script string) {
	t.Helper()
	b.Eval(t, `(window.leaving = true, void setTimeout(() => { `+script+`; }))`, nil)
	b.Wait(t, `document.readyState === 'complete' && !window.leaving && location.protocol === 'https:'`)
}

// Reload reloads the page.
func (b *Browser) Reload(t *testing.T) {
	t.Helper()
	b.Leave(t, "location.reload()")
}
