package page

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/client"
	"praxisrelay/signal/protocol"
)

// Tests of a page whose partner's page is hostile.

// saying lets a test see the frames that the page sends over its socket.
const saying = `
	window.said = [];
	const say = WebSocket.prototype.send;
	WebSocket.prototype.send = function (text) {
		window.said.push(text);
		return say.call(this, text);
	};`

// alone opens a page in one seat of a new appointment, and returns the keys of both seats.
func alone(t *testing.T, s *apptest.Served, seat int) (*apptest.Browser, []adminclient.CreatedSeat) {
	t.Helper()
	made, err := s.Admin.Create(t.Context(), time.Now(), time.Now().Add(time.Hour), "")
	if err != nil {
		t.Fatal(err)
	}
	b := apptest.NewBrowser(t, made.Seats[seat].Name)
	b.Prepend(t, saying)
	b.Open(t, made.Seats[seat].Link, "lang=en")
	b.Join(t)
	b.Wait(t, apptest.IsWaiting) // the welcome for the check came earlier
	return b, made.Seats
}

// partner joins the other seat, and returns what it needs to talk to the page.
func partner(t *testing.T, s *apptest.Served, seat adminclient.CreatedSeat) (*client.Session, protocol.Present) {
	t.Helper()
	session, err := s.Dialer(t).JoinWithKeys(t.Context(), seat.Keys)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	return session, session.Welcome.Present[0]
}

func tell(t *testing.T, session *client.Session, to protocol.Present, object any) {
	t.Helper()
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Send(to, text); err != nil {
		t.Fatal(err)
	}
}

// TestNamesStayInTheirPlace checks that a name is shown as a name, and changes nothing around it.
func TestNamesStayInTheirPlace(t *testing.T) {
	s := apptest.StartServe(t, nil)
	doctor, seats := alone(t, s, 0)
	patient, to := partner(t, s, seats[1])
	for said, shown := range map[string]string{
		"Ada L.":                        "Ada L.",
		"\u202eadA\u202c\u2066\u2069":   "adA",
		"A\u200bd\u2060a\ufeff\u00ad":   "Ada",
		"Ada\r\n\tL.\u2028\u0000\u007f": "Ada L.",
		"Ada\u2069 is let in. \u2068":   "Ada is let in.",
		"\u3164\u115f":                  "The patient",
		"شيرين":                         "شيرين",
		"O'Brien-Þórsdóttir 🙂":          "O'Brien-Þórsdóttir 🙂",
		strings.Repeat("🙂", 100):        strings.Repeat("🙂", 60),
		"<b>Ada</b>":                    "<b>Ada</b>",
	} {
		tell(t, patient, to, map[string]string{"name": "before"})
		doctor.Wait(t, `document.querySelector('#knock').textContent === 'before is waiting.'`)
		tell(t, patient, to, map[string]string{"name": said})
		doctor.Wait(t, fmt.Sprintf(`document.querySelector('#knock').textContent === %q`,
			shown+" is waiting."))
		if shown != "The patient" {
			doctor.Is(t, fmt.Sprintf(`document.querySelector('#knock bdi').textContent === %q`, shown))
			doctor.Is(t, `getComputedStyle(document.querySelector('#knock bdi')).unicodeBidi.startsWith('isolate')`)
		}
	}
}

// TestAClickIsForWhoWasSeen checks that somebody who takes the seat at the moment of the click is
// not let in.
func TestAClickIsForWhoWasSeen(t *testing.T) {
	s := apptest.StartServe(t, nil)
	doctor, seats := alone(t, s, 0)
	first, to := partner(t, s, seats[1])
	tell(t, first, to, map[string]string{"name": "Ada"})
	doctor.Wait(t, visible("#knock", "Ada is waiting."))
	// The doctor clicks as soon as something changes, as with a finger already on its way.
	doctor.Eval(t, `void (window.eager = new MutationObserver(() => document.querySelector('#admit').click()))
		.observe(document.querySelector('#knock'), { childList: true })`, nil)
	second, to := partner(t, s, seats[1])
	tell(t, second, to, map[string]string{"name": "Mallory"})
	doctor.Wait(t, visible("#knock", "Mallory is waiting."))
	doctor.Eval(t, `eager.disconnect()`, nil)
	doctor.LetIn(t)
	if _, err := second.WaitICE(t.Context()); err != nil {
		t.Fatal(err)
	}
	var admits int
	doctor.Eval(t, `said.filter((frame) => frame.includes('"admit"')).length`, &admits)
	if admits != 1 {
		t.Errorf("%d clicks let somebody in", admits)
	}
}

// offering is a description with many media sections, for which a browser's answer is longer.
func offering(sections int) map[string]any {
	var sdp strings.Builder
	sdp.WriteString("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n" +
		"a=fingerprint:sha-256 " + strings.Repeat(":AB", 32)[1:] + "\r\na=setup:actpass\r\n")
	for i := range sections {
		fmt.Fprintf(&sdp, "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:%d\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\n", i)
	}
	return map[string]any{"type": "offer", "sdp": sdp.String()}
}

// TestAPartnerDoesNotEndThePage checks that an offer is dropped if its answer would not fit a
// frame, and that a good offer after it is answered.
func TestAPartnerDoesNotEndThePage(t *testing.T) {
	s := apptest.StartServe(t, nil)
	patient, seats := alone(t, s, 1)
	doctor, to := partner(t, s, seats[0])
	doctor.Admit(to)
	patient.Wait(t, apptest.Heard("ice", 1))
	for i, sections := range []int{40, 1} {
		tell(t, doctor, to, map[string]any{"call": 1, "offer": i + 1, "description": offering(sections)})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		e, err := doctor.Receive(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if e.Left != nil {
			t.Error("the page's session has ended")
		}
		if e.Message != nil && bytes.Contains(e.Message.Plain, []byte(`"answer"`)) {
			break
		}
	}
	var longest int
	patient.Eval(t, `Math.max(...said.map((frame) => frame.length))`, &longest)
	if longest > protocol.MaxFrame {
		t.Errorf("the page sent a frame of %d bytes", longest)
	}
}

// TestLongMessagesAreNotSaid checks that messages that would end the session are not sent, and that
// later ones are.
func TestLongMessagesAreNotSaid(t *testing.T) {
	info, _ := apptest.StartDemo(t)
	b := apptest.NewBrowser(t, "page")
	b.Load(t, info.URL)
	var sizes []int
	b.Eval(t, `(async () => {
		const { derive, parse } = await import('/code.js'), { Signaling } = await import('/signaling.js');
		const { fromBase64 } = await import('/seal.js');
		const { salt, rounds, max_message: max } = await (await fetch('/v1/info')).json();
		const sizes = [];
		const say = WebSocket.prototype.send;
		WebSocket.prototype.send = function (text) { sizes.push(text.length); say.call(this, text); };
		const ended = Promise.withResolvers();
		const signaling = new Signaling(await derive(parse('`+info.Doctor.Code+`'), fromBase64(salt), rounds), max, {
			welcome: () => {
				const to = { seat: 'patient', epoch: 'A'.repeat(22) };
				for (const length of [max, 0.75 * max, 0.7 * max, 10]) signaling.send(to, { text: 'x'.repeat(length) });
				setTimeout(() => signaling.renew(), 0);
			},
			ice: () => { if (sizes.length > 3) ended.resolve(); },
			ended: (error) => ended.reject(new Error(error.code)),
			joined() {}, left() {}, message() {}, explanation() {}, tampered() {}, back() {}, lost() {}, maintenance() {},
		}, false);
		await ended.promise;
		signaling.leave();
		return sizes;
	})()`, &sizes)
	if longest := slices.Max(sizes); longest > protocol.MaxFrame || longest < protocol.MaxFrame/2 ||
		len(sizes) < 4 {
		t.Errorf("frames have %d bytes", sizes)
	}
}

// TestDescriptionsFit checks that the descriptions of both makes of browser, at the start and at
// restarts, are far below the limits.
func TestDescriptionsFit(t *testing.T) {
	info, _ := apptest.StartDemo(t)
	for make, start := range map[string]apptest.Starter{"Chromium": apptest.NewChromium,
		"Firefox": apptest.NewFirefox} {
		b := start(t, "", make)
		b.Load(t, info.URL)
		for _, what := range []string{"offer", "answer"} {
			var longest struct{ Bytes, Sections, Candidates int }
			b.Eval(t, `(async () => {
				const { Call } = await import('/call.js');
				const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
				const calls = {}, seen = { Bytes: 0, Sections: 0, Candidates: 0 };
				const { promise, resolve } = Promise.withResolvers();
				let answers = 0, candidates = 0;
				const call = (offers) => new Call({ iceServers: [] }, stream, offers, {
					send: (object) => {
						const { description, candidate } = object;
						if (description?.type === '`+what+`') {
							const lines = (start) => description.sdp.split('\n' + start).length - 1;
							seen.Bytes = Math.max(seen.Bytes, JSON.stringify(object).length);
							seen.Sections = Math.max(seen.Sections, lines('m='));
							candidates = lines('a=candidate:');
						} else if (candidate && offers === ('`+what+`' === 'offer')) candidates++;
						seen.Candidates = Math.max(seen.Candidates, candidates);
						setTimeout(() => calls[!offers].receive(JSON.parse(JSON.stringify(object))), 0);
						if (description?.type === 'answer' && ++answers === 2) resolve();
					},
					state: (state) => { if (offers && state === 'connected') calls[true].restart(); },
					track() {}, quiet() {}, stalled() {},
				});
				calls[false] = call(false);
				calls[true] = call(true);
				await promise;
				calls[true].close();
				calls[false].close();
				return seen;
			})()`, &longest)
			frame := (longest.Bytes+28)*4/3 + 200 // sealed, in base64, with the frame around it
			t.Logf("%s's %s: %+v, in a frame of %d bytes", make, what, longest, frame)
			if frame > protocol.MaxFrame*3/4 || longest.Sections != 2 || longest.Candidates > 50 {
				t.Errorf("%s's %s: %+v, in a frame of %d bytes", make, what, longest, frame)
			}
		}
	}
}

// TestManyRoundsAreRefused checks that a server cannot keep the device busy with stretching.
func TestManyRoundsAreRefused(t *testing.T) {
	info, _ := apptest.StartDemo(t)
	b := apptest.NewBrowser(t, "page")
	b.Prepend(t, `
		const response = Response.prototype.json;
		Response.prototype.json = async function () {
			const value = await response.call(this);
			return this.url.endsWith('/v1/info') ? { ...value, rounds: window.rounds } : value;
		};
		window.rounds = 10000001;
		window.warned = [];
		console.warn = (...words) => window.warned.push(words.join(' '));`)
	b.Open(t, info.Doctor.Link, "lang=en")
	for rounds, want := range map[string]string{"10000001": "too long", "1e9": "too long",
		"599999": "too little", "NaN": "too little"} {
		b.Eval(t, `void (rounds = `+rounds+`, warned.length = 0)`, nil)
		b.Join(t)
		b.Wait(t, visible("#message", "The server has a fault"))
		b.Is(t, `warned.join().includes('`+want+`')`)
	}
}
