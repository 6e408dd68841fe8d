package apptest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// firefox is driven over WebDriver BiDi.
type firefox struct {
	conn    *websocket.Conn
	context string // the tab, as the protocol calls it
	ended   chan struct{}

	mu      sync.Mutex
	last    int
	waiting map[int]chan bidiMessage // by command
}

// bidiMessage is an answer to a command, or an event.
type bidiMessage struct {
	ID      int
	Result  json.RawMessage
	Error   string
	Message string // of the error
	Method  string // of the event
	Params  json.RawMessage
}

type object map[string]any

// firefoxSettings fake the camera and microphone, allow loopback, and stop Firefox from contacting
// its maker as far as a driven Firefox still would.
var firefoxSettings = object{
	"media.navigator.streams.fake":        true,
	"media.navigator.permission.disabled": true,
	"media.autoplay.default":              0,
	"media.peerconnection.ice.loopback":   true,
	// As if the person had allowed a real camera.
	"media.peerconnection.ice.obfuscate_host_addresses": false,

	"intl.accept_languages":           "en",
	"services.settings.server":        "https://localhost",
	"media.gmp-manager.updateEnabled": false,
	"network.trr.mode":                5,
}

// exception matches the text of an exception. Firefox also reports its own remarks as errors, such
// as a server that went away.
var exception = regexp.MustCompile(`^(\w*Error|uncaught exception): `)

// NewFirefox starts a Firefox that accepts the test's certificates for https.
func NewFirefox(t *testing.T, namespace, name string) *Browser {
	t.Helper()
	program := Tool(t, "firefox-esr", "firefox-esr")
	at := launch(t, namespace, name, func(profile string) *exec.Cmd {
		var settings strings.Builder
		for key, value := range firefoxSettings {
			text, _ := json.Marshal(value)
			fmt.Fprintf(&settings, "user_pref(%q, %s);\n", key, text)
		}
		if namespace == "" { // resolve no other names
			settings.WriteString(`user_pref("network.dns.native-is-localhost", true);` + "\n")
		}
		WriteFile(t, filepath.Join(profile, "user.js"), settings.String(), 0o600)
		c := exec.Command(program, "--headless", "--no-remote", "--profile", profile,
			"--remote-debugging-port=0")
		// allows another services.settings.server
		c.Env = append(os.Environ(), "HOME="+profile, "MOZ_REMOTE_SETTINGS_DEVTOOLS=1")
		return c
	})
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	known := at.Host // Firefox insists on this Host
	at.Host = tunnel(t, namespace, at.Host)
	conn, _, err := websocket.Dial(ctx, at.String()+"/session", &websocket.DialOptions{Host: known})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	conn.SetReadLimit(-1) // pictures are large
	f := &firefox{conn: conn, ended: make(chan struct{}), waiting: map[int]chan bidiMessage{}}
	go f.read(t, name)
	t.Cleanup(func() {
		conn.CloseNow()
		<-f.ended
	})
	var tree struct{ Contexts []struct{ Context string } }
	for _, err := range []error{
		f.call(ctx, "session.new",
			object{"capabilities": object{"alwaysMatch": object{"acceptInsecureCerts": true}}}, nil),
		f.call(ctx, "session.subscribe", object{"events": []string{"log.entryAdded"}}, nil),
		f.call(ctx, "browsingContext.getTree", object{}, &tree),
	} {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	f.context = tree.Contexts[0].Context
	return drive(t, name, f)
}

// read receives the browser's messages until it ends.
func (f *firefox) read(t *testing.T, name string) {
	defer close(f.ended)
	for {
		var m bidiMessage
		if err := wsjson.Read(context.Background(), f.conn, &m); err != nil {
			return
		}
		if m.Method == "" {
			f.mu.Lock()
			if answer := f.waiting[m.ID]; answer != nil {
				answer <- m
			}
			delete(f.waiting, m.ID)
			f.mu.Unlock()
			continue
		}
		var entry struct{ Type, Text string }
		_ = json.Unmarshal(m.Params, &entry)
		if entry.Type == "javascript" && exception.MatchString(entry.Text) {
			t.Errorf("%s: %s", name, entry.Text)
		} else {
			t.Logf("%s console: %s", name, entry.Text)
		}
	}
}

// call sends a command and waits for its result.
func (f *firefox) call(ctx context.Context, method string, params object, result any) error {
	answer := make(chan bidiMessage, 1)
	f.mu.Lock()
	f.last++
	id := f.last
	f.waiting[id] = answer
	f.mu.Unlock()
	// A partial write would end the connection.
	if err := wsjson.Write(context.Background(), f.conn,
		object{"id": id, "method": method, "params": params}); err != nil {
		return err
	}
	select {
	case m := <-answer:
		if m.Error != "" {
			return fmt.Errorf("%s: %s: %s", method, m.Error, m.Message)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(m.Result, result)
	case <-f.ended:
		return errors.New("the browser is gone")
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	}
}

func (f *firefox) load(ctx context.Context, url string) error {
	return f.call(ctx, "browsingContext.navigate",
		object{"context": f.context, "url": url, "wait": "complete"}, nil)
}

func (f *firefox) evaluate(ctx context.Context, expression string) (string, error) {
	var answer struct {
		Result           struct{ Value string }
		ExceptionDetails struct{ Text string }
	}
	err := f.call(ctx, "script.evaluate", object{
		"expression": expression, "target": object{"context": f.context}, "awaitPromise": true, "userActivation": true,
	}, &answer)
	if err == nil && answer.ExceptionDetails.Text != "" {
		err = errors.New(answer.ExceptionDetails.Text)
	}
	return answer.Result.Value, err
}

func (f *firefox) prepend(ctx context.Context, script string) error {
	return f.call(ctx, "script.addPreloadScript",
		object{"functionDeclaration": "() => {" + script + "}"}, nil)
}

func (f *firefox) clickAt(ctx context.Context, x, y float64) error {
	return f.act(ctx, "pointer", []object{
		{"type": "pointerMove", "x": int(x), "y": int(y)}, {"type": "pointerDown", "button": 0},
		{"type": "pointerUp", "button": 0},
	})
}

func (f *firefox) press(ctx context.Context, keys string) error {
	var actions []object
	for _, key := range strings.NewReplacer("\r", "\uE007", "\t", "\uE004").Replace(keys) {
		actions = append(actions, object{"type": "keyDown", "value": string(key)},
			object{"type": "keyUp", "value": string(key)})
	}
	return f.act(ctx, "key", actions)
}

func (f *firefox) act(ctx context.Context, device string, actions []object) error {
	return f.call(ctx, "input.performActions", object{
		"context": f.context, "actions": []object{{"type": device, "id": device, "actions": actions}},
	}, nil)
}

func (f *firefox) picture(ctx context.Context) ([]byte, error) {
	var answer struct{ Data []byte }
	err := f.call(ctx, "browsingContext.captureScreenshot", object{"context": f.context}, &answer)
	return answer.Data, err
}
