package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"praxisrelay/signal/code"
)

// visible is true when an element shows a text.
func visible(element, text string) string {
	return fmt.Sprintf(`document.querySelector('%s').checkVisibility() && document.querySelector('%[1]s').textContent.includes(%q)`, element, text)
}

// is fails the test unless a JavaScript expression is true now.
func (b *browser) is(t *testing.T, expression string) {
	t.Helper()
	var so bool
	if b.eval(t, expression, &so); !so {
		var said string
		b.eval(t, "document.body.innerText", &said)
		t.Errorf("%s: %s is not so; the page says: %s", b.name, expression, said)
	}
}

// talks waits until a call flows.
func (b *browser) talks(t *testing.T) {
	t.Helper()
	b.wait(t, isConnected)
	b.wait(t, flowing)
}

// leave runs a script with which another document begins, and waits for that.
func (b *browser) leave(t *testing.T, script string) {
	t.Helper()
	b.eval(t, `(window.leaving = true, void setTimeout(() => { `+script+`; }))`, nil)
	b.wait(t, `document.readyState === 'complete' && !window.leaving && location.protocol === 'https:'`)
}

func (b *browser) reload(t *testing.T) {
	t.Helper()
	b.leave(t, "location.reload()")
}

// asksBeforeLeaving is what the browser would do if the page were left now.
const asksBeforeLeaving = `!dispatchEvent(new Event('beforeunload', { cancelable: true }))`

// TestEnterLetsInOnly: whoever presses it once more has not hung up.
func TestEnterLetsInOnly(t *testing.T) {
	t.Parallel()
	info, _ := startDemo(t)
	doctor, patient := newBrowser(t, "doctor"), newBrowser(t, "patient")
	doctor.open(t, info.Doctor.Link, "")
	doctor.join(t)
	doctor.wait(t, isWaiting)
	doctor.is(t, `document.activeElement.id === 'status'`)
	patient.open(t, info.Patient.Link, "")
	patient.join(t)
	doctor.wait(t, visible("#admit", "Let in"))
	doctor.eval(t, `document.querySelector('#admit').focus()`, nil)
	doctor.press(t, "\r\r")
	doctor.is(t, `document.activeElement.id === 'status'`)
	for _, b := range []*browser{doctor, patient} {
		b.talks(t)
	}
	doctor.press(t, "\r")
	doctor.arriving(t, 15)
}

// TestReloadLosesNothing: neither code nor admission, on either side, until the person
// is done.
func TestReloadLosesNothing(t *testing.T) {
	t.Parallel()
	for make, start := range map[string]starter{"chromium": newChromium, "firefox": newFirefox} {
		t.Run(make, func(t *testing.T) {
			info, _ := startDemo(t)
			reloadLosesNothing(t, info, start(t, "", "doctor"), start(t, "", "patient"))
		})
	}
}

func reloadLosesNothing(t *testing.T, info demo, doctor, patient *browser) {
	doctor.open(t, info.Doctor.Link, "")
	patient.open(t, info.Patient.Link, "")
	patient.write(t, "#name", "Ada L.")
	patient.join(t)
	patient.wait(t, isWaiting)
	patient.is(t, `!(`+asksBeforeLeaving+`)`)
	doctor.join(t)
	doctor.letIn(t)
	doctor.wait(t, `document.activeElement.id === 'status'`)
	both := []*browser{doctor, patient}
	for _, b := range both {
		b.talks(t)
		b.is(t, asksBeforeLeaving)
	}
	for _, again := range []struct {
		name string
		do   func()
	}{
		{"the patient reloads", func() { patient.reload(t) }},
		{"the doctor reloads", func() { doctor.reload(t) }},
		{"the patient reloads after the doctor", func() { patient.reload(t) }},
		{"the patient swipes back and forth", func() {
			patient.load(t, "about:blank")
			patient.leave(t, "history.back()")
		}},
	} {
		again.do()
		for _, b := range both {
			b.talks(t)
		}
		doctor.wait(t, visible("#status", "Connected with Ada L."))
		t.Log(again.name)
	}

	patient.click(t, "#leave")
	doctor.wait(t, hungUp)
	for range 2 { // the second time after a reload
		patient.wait(t, visible("#goodbye", "You hung up. The code works until"))
		patient.is(t, `document.activeElement.id === 'goodbye'`)
		patient.is(t, `!(`+asksBeforeLeaving+`)`)
		patient.reload(t)
	}
	patient.click(t, "#again")
	doctor.letIn(t) // who hung up is asked for again
	patient.talks(t)
	patient.click(t, "#leave")
	patient.click(t, "#done")
	patient.is(t, visible("#message", "deleted"))
	const nothing = `sessionStorage.getItem('praxisrelay') === '{}' && !document.querySelector('#code').value && !document.querySelector('#name').value`
	patient.is(t, nothing)
	patient.reload(t)
	patient.is(t, nothing)
}

// TestAnotherDeviceWithTheCodeWaits: the admission is the device's that was let in.
func TestAnotherDeviceWithTheCodeWaits(t *testing.T) {
	t.Parallel()
	info, _ := startDemo(t)
	doctor, patient := consult(t, [2]starter{newChromium, newChromium}, info.Doctor.Link, info.Patient.Link, "", "")
	other := newBrowser(t, "other")
	other.open(t, info.Patient.Link, "")
	other.eval(t, `sessionStorage.setItem('praxisrelay', JSON.stringify({
		...JSON.parse(sessionStorage.getItem('praxisrelay')), admission: 'AAAAAAAAAAAAAAAAAAAAAA',
	}))`, nil)
	other.reload(t)
	other.join(t)
	patient.wait(t, visible("#message", "another device"))
	doctor.wait(t, visible("#knock", "The patient is waiting."))
	other.wait(t, visible("#status", "will let you in"))
	// Had the doctor's page let it in, it would have an answer to what it said after that.
	other.is(t, `!heard.includes('ice')`)

	patient.reload(t) // comes back only when asked to
	patient.is(t, `!heard.includes('welcome')`)
	patient.join(t)
	for _, b := range []*browser{doctor, patient} {
		b.talks(t)
	}
	other.wait(t, visible("#message", "another device"))
}

// TestAdmissionEnds after ten minutes of absence.
func TestAdmissionEnds(t *testing.T) {
	t.Parallel()
	info, _ := startDemo(t)
	b := newBrowser(t, "page")
	b.load(t, info.URL)
	var got []bool
	b.eval(t, `(async () => {
		let now = 1000;
		Date.now = () => now;
		const { grant, proves, revoke, seen } = await import('/admission.js'), patient = { seat: 'patient' };
		const minutes = (n) => { now += n * 60000; };
		const got = [proves(patient, undefined)];
		const old = grant('patient');
		const token = grant('patient');
		got.push(proves(patient, old), proves({ seat: 'guest' }, token), proves(patient, token));
		minutes(9);
		got.push(proves(patient, token));
		seen();
		minutes(9);
		got.push(proves(patient, token));
		minutes(1);
		got.push(proves(patient, token));
		minutes(-30); // the clock is set
		got.push(proves(patient, token));
		const last = grant('patient');
		got.push(proves(patient, last));
		revoke();
		got.push(proves(patient, last), proves(patient, undefined));
		return got;
	})()`, &got)
	want := []bool{false, false, false, true, true, true, false, false, true, false, false}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestDuplicatedWindow has the first one's memory, and does not take its seat unasked.
func TestDuplicatedWindow(t *testing.T) {
	t.Parallel()
	info, _ := startDemo(t)
	doctor, patient := consult(t, [2]starter{newChromium, newChromium}, info.Doctor.Link, info.Patient.Link, "", "")
	tab := patient.engine.(*chromium).tab
	opened := chromedp.WaitNewTarget(tab, func(made *target.Info) bool { return strings.HasPrefix(made.URL, info.URL) })
	patient.do(t, chromedp.Evaluate(`void window.open(location.href)`, nil, func(p *runtime.EvaluateParams) *runtime.EvaluateParams {
		return p.WithUserGesture(true)
	}))
	var id target.ID
	select {
	case id = <-opened:
	case <-time.After(40 * time.Second):
		t.Fatal("no other window was opened")
	}
	duplicate, cancel := chromedp.NewContext(tab, chromedp.WithTargetID(id))
	t.Cleanup(cancel)
	if err := chromedp.Run(duplicate); err != nil {
		t.Fatal(err)
	}
	second := &browser{&chromium{duplicate}, "duplicate"}
	second.wait(t, visible("#message", "open in another window"))
	second.is(t, `document.querySelector('#code').value === '`+info.Patient.Code+`'`)
	patient.arriving(t, 30)
	second.eval(t, `document.querySelector('#join').requestSubmit()`, nil) // it may be behind the first
	patient.wait(t, visible("#message", "another device or in another window"))
	doctor.talks(t)
	doctor.wait(t, visible("#status", "Connected")) // the window has what the device was given
}

// TestLinksAsTheyCome: the code gets into the field, and out of the address.
func TestLinksAsTheyCome(t *testing.T) {
	t.Parallel()
	info, _ := startDemo(t)
	b := newBrowser(t, "patient")
	typed := info.Patient.Code
	clean := func(query string) {
		t.Helper()
		b.wait(t, fmt.Sprintf(`location.href === %q`, info.URL+query))
	}
	for _, form := range []struct{ path, query string }{
		{"#" + typed, ""}, {"%23" + typed, ""}, {"%2523" + typed, ""}, {"?%23" + typed, ""}, {"?lang=de%23" + typed, "?lang=de"},
		{"?utm_source=mail#" + typed, "?utm_source=mail"}, {"index.html%23" + typed, ""}, {"index.html#" + typed, ""}, {"a/b%23" + typed, ""},
		{typed, ""}, {"?code=" + typed, ""}, {"#" + strings.ReplaceAll(typed, "-", "%20"), ""}, {"%23" + typed + "?fbclid=x", ""},
	} {
		b.load(t, "about:blank")
		b.load(t, info.URL+form.path)
		b.wait(t, fmt.Sprintf(`document.querySelector('#code').value === %q`, typed))
		clean(form.query)
	}
	another := code.New().Format()
	b.load(t, info.URL)
	b.eval(t, `void (location.hash = '#`+another+`')`, nil)
	b.wait(t, fmt.Sprintf(`document.querySelector('#code').value === %q`, another))
	clean("")

	doctor, patient := consult(t, [2]starter{newChromium, newChromium}, info.Doctor.Link, info.Patient.Link, "", "")
	patient.eval(t, `void (location.hash = '#`+another+`')`, nil)
	patient.wait(t, `!location.href.includes('#')`)
	patient.arriving(t, 15)
	doctor.arriving(t, 15)
	patient.is(t, `!sessionStorage.getItem('praxisrelay').includes('`+strings.ReplaceAll(another, "-", "")+`')`)
}

// TestCodesArePasted with the text around them, whose lines a field would run together.
func TestCodesArePasted(t *testing.T) {
	t.Parallel()
	info, _ := startDemo(t)
	b := newBrowser(t, "patient")
	paste := func(text string) {
		b.eval(t, fmt.Sprintf(`(() => {
			const clipboardData = new DataTransfer();
			clipboardData.setData('text', %q);
			document.querySelector('#code').dispatchEvent(new ClipboardEvent('paste', { clipboardData, cancelable: true }));
		})()`, text), nil)
	}
	b.load(t, info.URL)
	paste("Ihr Code:\n" + info.Patient.Code + "\nMit freundlichen Grüßen")
	b.is(t, `document.querySelector('#code').value === '`+info.Patient.Code+`'`)
	typed := info.URL + "?utm_source=" + strings.Repeat("x", 100) + "#" + info.Patient.Code + "."
	b.eval(t, `void (document.querySelector('#code').value = '')`, nil)
	b.write(t, "#code", typed)
	b.join(t)
	b.wait(t, isWaiting)
}

// noAnswer makes a browser whose question for the camera nobody answers.
const noAnswer = `void (navigator.mediaDevices.getUserMedia = () => new Promise((answer) => { (window.questions ??= []).push(answer); }))`

// TestCameraQuestionNobodyAnswers: there is a way in, nobody is told before, and an
// answer that comes too late opens nothing.
func TestCameraQuestionNobodyAnswers(t *testing.T) {
	t.Parallel()
	info, _ := startDemo(t)
	doctor, patient := newBrowser(t, "doctor"), newBrowser(t, "patient")
	doctor.open(t, info.Doctor.Link, "")
	doctor.join(t)
	doctor.wait(t, isWaiting)
	patient.open(t, info.Patient.Link, "")
	patient.eval(t, noAnswer, nil)
	patient.join(t)
	patient.wait(t, visible("#without", "Join without"))
	doctor.is(t, `!heard.includes('joined')`)
	patient.click(t, "#without")
	patient.wait(t, visible("#status", "will let you in"))
	patient.is(t, visible("#camera-state", "will not be seen")+` && `+visible("#microphone-state", "will not be heard"))
	patient.eval(t, `void questions[0](window.late = document.createElement('canvas').captureStream())`, nil)
	patient.wait(t, `late.getTracks()[0].readyState === 'ended'`)
	patient.is(t, `questions.length === 1 && !document.querySelector('#self').srcObject`)
	doctor.letIn(t)
	doctor.wait(t, isConnected)
	patient.talks(t)
}

// TestNoCameraForAWrongCode: it is asked for once the code is known to be right.
func TestNoCameraForAWrongCode(t *testing.T) {
	t.Parallel()
	info, _ := startDemo(t)
	b := newBrowser(t, "patient")
	b.open(t, info.URL+"#"+code.New().Format(), "")
	b.eval(t, noAnswer, nil)
	b.join(t)
	b.wait(t, visible("#message", "no such code"))
	b.is(t, `window.questions === undefined && sessionStorage.getItem('praxisrelay') === '{}'`)
}

// TestServerOutOfReachAtTheEntrance: nothing is promised that is not done.
func TestServerOutOfReachAtTheEntrance(t *testing.T) {
	t.Parallel()
	info, _ := startDemo(t)
	b := newBrowser(t, "patient")
	b.open(t, info.Patient.Link, "")
	b.do(t, network.Enable(), network.SetBlockedURLs([]string{"*/v1/*"}))
	b.join(t)
	b.wait(t, visible("#message", "check your internet connection, and try again"))
	b.do(t, network.SetBlockedURLs([]string{}))
	b.join(t)
	b.wait(t, isWaiting)
}

// TestButtonsNameWhatTheyDo, and a text says how things are.
func TestButtonsNameWhatTheyDo(t *testing.T) {
	t.Parallel()
	info, _ := startDemo(t)
	doctor, patient := consult(t, [2]starter{newChromium, newChromium}, info.Doctor.Link, info.Patient.Link, "", "")
	says := func(element, text string) {
		t.Helper()
		patient.is(t, visible(element, text))
	}
	patient.is(t, `!document.querySelector('[aria-pressed]') && document.querySelectorAll('h1').length === 1`)
	says("#microphone", "Turn microphone off")
	patient.is(t, `!document.querySelector('#microphone-state').checkVisibility()`)
	patient.click(t, "#microphone")
	says("#microphone", "Turn microphone on")
	says("#microphone-state", "Your microphone is off.")
	patient.click(t, `[data-lang="de"]`)
	says("#microphone", "Mikrofon einschalten")
	says("#microphone-state", "Ihr Mikrofon ist aus.")
	says("#status", "Verbunden mit der Praxis")
	doctor.click(t, `[data-lang="de"]`)
	doctor.is(t, visible("#status", "Verbunden mit der Patientin oder dem Patienten"))

	patient.eval(t, `(() => {
		const [track] = document.querySelector('#self').srcObject.getVideoTracks();
		track.stop();
		track.dispatchEvent(new Event('ended')); // as when the device is unplugged
	})()`, nil)
	says("#camera-state", "Ihre Kamera ist unterbrochen.")
	patient.is(t, `document.querySelector('#camera').disabled`)
}

// TestHangUpIsInTheWindow, whatever the window and its language.
func TestHangUpIsInTheWindow(t *testing.T) {
	t.Parallel()
	info, _ := startDemo(t)
	doctor, patient := newBrowser(t, "doctor"), newBrowser(t, "patient")
	inside := func(b *browser) {
		t.Helper()
		for _, size := range [][2]int64{{740, 360}, {390, 844}, {360, 640}, {1280, 800}} {
			b.do(t, chromedp.EmulateViewport(size[0], size[1]))
			for _, language := range []string{"de", "en"} {
				b.eval(t, `document.querySelector('[data-lang=`+language+`]').click()`, nil)
				var outside []string
				b.eval(t, `[...document.querySelectorAll('#consultation button')].filter((button) => {
					const { left, top, right, bottom } = button.getBoundingClientRect();
					return button.checkVisibility() && (left < 0 || top < 0 || right > innerWidth || bottom > innerHeight ||
						!button.contains(document.elementFromPoint((left + right) / 2, (top + bottom) / 2)));
				}).map((button) => button.textContent)`, &outside)
				if len(outside) > 0 {
					t.Errorf("%s, %v, %s: %q cannot be pressed", b.name, size, language, outside)
				}
			}
		}
	}
	doctor.open(t, info.Doctor.Link, "")
	doctor.join(t)
	doctor.wait(t, isWaiting)
	inside(doctor)
	patient.open(t, info.Patient.Link, "")
	patient.write(t, "#name", "Ada Lovelace, geborene Byron, mit einem langen Namen")
	patient.join(t)
	doctor.wait(t, visible("#admit", "Let in"))
	inside(doctor)
	doctor.letIn(t)
	doctor.talks(t)
	doctor.click(t, "#microphone")
	doctor.click(t, "#camera")
	inside(doctor)
}

// TestPageWaitsWithARightCode: once the server has said that a code is right, a
// neighbour's wrong ones are no reason to give up.
func TestPageWaitsWithARightCode(t *testing.T) {
	t.Parallel()
	info, _ := startDemo(t)
	b := newBrowser(t, "page")
	b.load(t, info.URL)
	var told []string
	b.eval(t, `(async () => {`+clock+`
		const told = [], sockets = [];
		window.WebSocket = class {
			listeners = {};
			constructor() {
				sockets.push(this);
				told.push('joins after ' + (now - 1000) / 1000);
			}
			addEventListener(type, listener) { this.listeners[type] = listener; }
			hear(error) {
				this.listeners.open();
				this.listeners.message({ data: JSON.stringify({ error }) });
			}
			send() {}
			close() {}
		};
		const { Connection } = await import('/connection.js'), { Session } = await import('/session.js');
		const handlers = { back() {}, lost() {}, maintenance() {}, ended: ({ code }) => told.push(code) };
		new Connection(new Session(new Uint8Array(32), '', () => {}), false, handlers);
		for (const error of [{ code: 'maintenance' }, { code: 'limited', retry_after: 30 }, { code: 'too-often', retry_after: 2 }, { code: 'over' }]) {
			const before = sockets.length;
			sockets.at(-1).hear(error);
			for (let second = 0; second < 60 && sockets.length === before; second++) await advance(1000);
		}
		new Connection(new Session(new Uint8Array(32), '', () => {}), false, handlers);
		sockets.at(-1).hear({ code: 'limited', retry_after: 30 });
		return told;
	})()`, &told)
	want := "[joins after 0 joins after 20 joins after 50 joins after 52 over joins after 112 limited]"
	if fmt.Sprint(told) != want {
		t.Errorf("%v, want %s", told, want)
	}
}
