package page

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/signal/code"
)

// visible is an expression that is true when an element shows a text.
func visible(element, text string) string {
	return fmt.Sprintf(`document.querySelector('%s').checkVisibility() && document.querySelector('%[1]s').textContent.includes(%q)`, element, text)
}

// asksBeforeLeaving is an expression for what the browser would do if the page were left now.
const asksBeforeLeaving = `!dispatchEvent(new Event('beforeunload', { cancelable: true }))`

// TestEnterLetsInOnly checks that pressing Enter once more does not hang up.
func TestEnterLetsInOnly(t *testing.T) {
	t.Parallel()
	info, _ := apptest.StartDemo(t)
	doctor, patient := apptest.NewBrowser(t, "doctor"), apptest.NewBrowser(t, "patient")
	doctor.Open(t, info.Doctor.Link, "")
	doctor.Join(t)
	doctor.Wait(t, apptest.IsWaiting)
	doctor.Is(t, `document.activeElement.id === 'status'`)
	patient.Open(t, info.Patient.Link, "")
	patient.Join(t)
	doctor.Wait(t, visible("#admit", "Let in"))
	doctor.Eval(t, `document.querySelector('#admit').focus()`, nil)
	doctor.Press(t, "\r\r")
	doctor.Is(t, `document.activeElement.id === 'status'`)
	for _, b := range []*apptest.Browser{doctor, patient} {
		b.WaitForCall(t)
	}
	doctor.Press(t, "\r")
	doctor.WaitForFrames(t, 15)
}

// TestReloadLosesNothing checks that both sides keep the code and the admission across reloads
// until the person is done.
func TestReloadLosesNothing(t *testing.T) {
	t.Parallel()
	for make, start := range map[string]apptest.Starter{"chromium": apptest.NewChromium,
		"firefox": apptest.NewFirefox} {
		t.Run(make, func(t *testing.T) {
			info, _ := apptest.StartDemo(t)
			reloadLosesNothing(t, info, start(t, "", "doctor"), start(t, "", "patient"))
		})
	}
}

func reloadLosesNothing(t *testing.T, info apptest.Demo, doctor, patient *apptest.Browser) {
	doctor.Open(t, info.Doctor.Link, "")
	patient.Open(t, info.Patient.Link, "")
	patient.Write(t, "#name", "Ada L.")
	patient.Join(t)
	patient.Wait(t, apptest.IsWaiting)
	patient.Is(t, `!(`+asksBeforeLeaving+`)`)
	doctor.Join(t)
	doctor.LetIn(t)
	doctor.Wait(t, `document.activeElement.id === 'status'`)
	both := []*apptest.Browser{doctor, patient}
	for _, b := range both {
		b.WaitForCall(t)
		b.Is(t, asksBeforeLeaving)
	}
	for _, again := range []struct {
		name string
		do   func()
	}{
		{"the patient reloads", func() { patient.Reload(t) }},
		{"the doctor reloads", func() { doctor.Reload(t) }},
		{"the patient reloads after the doctor", func() { patient.Reload(t) }},
		{"the patient swipes back and forth", func() {
			patient.Load(t, "about:blank")
			patient.Leave(t, "history.back()")
		}},
	} {
		again.do()
		for _, b := range both {
			b.WaitForCall(t)
		}
		doctor.Wait(t, visible("#status", "Connected with Ada L."))
		t.Log(again.name)
	}

	patient.Click(t, "#leave")
	doctor.Wait(t, apptest.HungUp)
	for range 2 { // the second time after a reload
		patient.Wait(t, visible("#goodbye", "You hung up. The code works until"))
		patient.Is(t, `document.activeElement.id === 'goodbye'`)
		patient.Is(t, `!(`+asksBeforeLeaving+`)`)
		patient.Reload(t)
	}
	patient.Click(t, "#again")
	doctor.LetIn(t) // somebody who hung up has to be let in again
	patient.WaitForCall(t)
	patient.Click(t, "#leave")
	patient.Click(t, "#done")
	patient.Is(t, visible("#message", "deleted"))
	const nothing = `sessionStorage.getItem('praxisrelay') === '{}' && !document.querySelector('#code').value && !document.querySelector('#name').value`
	patient.Is(t, nothing)
	patient.Reload(t)
	patient.Is(t, nothing)
}

// TestAnotherDeviceWithTheCodeWaits checks that an admission only holds for the device that was let
// in.
func TestAnotherDeviceWithTheCodeWaits(t *testing.T) {
	t.Parallel()
	info, _ := apptest.StartDemo(t)
	doctor, patient := apptest.Consult(t, [2]apptest.Starter{apptest.NewChromium, apptest.NewChromium},
		info.Doctor.Link, info.Patient.Link, "", "")
	other := apptest.NewBrowser(t, "other")
	other.Open(t, info.Patient.Link, "")
	other.Eval(t, `sessionStorage.setItem('praxisrelay', JSON.stringify({
		...JSON.parse(sessionStorage.getItem('praxisrelay')), admission: 'AAAAAAAAAAAAAAAAAAAAAA',
	}))`, nil)
	other.Reload(t)
	other.Join(t)
	patient.Wait(t, visible("#message", "another device"))
	doctor.Wait(t, visible("#knock", "The patient is waiting."))
	other.Wait(t, visible("#status", "will let you in"))
	// If the doctor's page had let it in, it would have got an answer to its later frames.
	other.Is(t, `!heard.includes('ice')`)

	patient.Reload(t) // only comes back when the person asks for it
	patient.Is(t, `!heard.includes('welcome')`)
	patient.Join(t)
	for _, b := range []*apptest.Browser{doctor, patient} {
		b.WaitForCall(t)
	}
	other.Wait(t, visible("#message", "another device"))
}

// TestAdmissionEnds checks that an admission expires after ten minutes of absence.
func TestAdmissionEnds(t *testing.T) {
	t.Parallel()
	info, _ := apptest.StartDemo(t)
	b := apptest.NewBrowser(t, "page")
	b.Load(t, info.URL)
	var got []bool
	b.Eval(t, `(async () => {
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
		minutes(-30); // the clock is set back
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

// TestDuplicatedWindow checks that a duplicated window has the first one's memory, but does not
// take its seat unasked.
func TestDuplicatedWindow(t *testing.T) {
	t.Parallel()
	info, _ := apptest.StartDemo(t)
	doctor, patient := apptest.Consult(t, [2]apptest.Starter{apptest.NewChromium, apptest.NewChromium},
		info.Doctor.Link, info.Patient.Link, "", "")
	tab := patient.Engine.(*apptest.Chromium).Tab
	opened := chromedp.WaitNewTarget(tab, func(made *target.Info) bool {
		return strings.HasPrefix(made.URL, info.URL)
	})
	patient.Do(t, chromedp.Evaluate(`void window.open(location.href)`, nil,
		func(p *runtime.EvaluateParams) *runtime.EvaluateParams {
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
	second := &apptest.Browser{Engine: &apptest.Chromium{Tab: duplicate}, Name: "duplicate"}
	second.Wait(t, visible("#message", "open in another window"))
	second.Is(t, `document.querySelector('#code').value === '`+info.Patient.Code+`'`)
	patient.WaitForFrames(t, 30)
	// this window may be behind the first
	second.Eval(t, `document.querySelector('#join').requestSubmit()`, nil)
	patient.Wait(t, visible("#message", "another device or in another window"))
	doctor.WaitForCall(t)
	doctor.Wait(t, visible("#status", "Connected")) // the window shares the device's admission
}

// TestLinksAsTheyCome checks that the code gets into the field and out of the address, for links in
// all forms.
func TestLinksAsTheyCome(t *testing.T) {
	t.Parallel()
	info, _ := apptest.StartDemo(t)
	b := apptest.NewBrowser(t, "patient")
	typed := info.Patient.Code
	clean := func(query string) {
		t.Helper()
		b.Wait(t, fmt.Sprintf(`location.href === %q`, info.URL+query))
	}
	for _, form := range []struct{ path, query string }{
		{"#" + typed, ""}, {"%23" + typed, ""}, {"%2523" + typed, ""}, {"?%23" + typed, ""}, {"?lang=de%23" + typed, "?lang=de"},
		{"?utm_source=mail#" + typed, "?utm_source=mail"}, {"index.html%23" + typed, ""},
		{"index.html#" + typed, ""}, {"a/b%23" + typed, ""},
		{typed, ""}, {"?code=" + typed, ""}, {"#" + strings.ReplaceAll(typed, "-", "%20"), ""}, {"%23" + typed + "?fbclid=x", ""},
	} {
		b.Load(t, "about:blank")
		b.Load(t, info.URL+form.path)
		b.Wait(t, fmt.Sprintf(`document.querySelector('#code').value === %q`, typed))
		clean(form.query)
	}
	another := code.New().Format()
	b.Load(t, info.URL)
	b.Eval(t, `void (location.hash = '#`+another+`')`, nil)
	b.Wait(t, fmt.Sprintf(`document.querySelector('#code').value === %q`, another))
	clean("")

	doctor, patient := apptest.Consult(t, [2]apptest.Starter{apptest.NewChromium, apptest.NewChromium},
		info.Doctor.Link, info.Patient.Link, "", "")
	patient.Eval(t, `void (location.hash = '#`+another+`')`, nil)
	patient.Wait(t, `!location.href.includes('#')`)
	patient.WaitForFrames(t, 15)
	doctor.WaitForFrames(t, 15)
	patient.Is(t, `!sessionStorage.getItem('praxisrelay').includes('`+
		strings.ReplaceAll(another, "-", "")+`')`)
}

// TestCodesArePasted checks codes that are pasted with surrounding text, whose lines a field would
// join.
func TestCodesArePasted(t *testing.T) {
	t.Parallel()
	info, _ := apptest.StartDemo(t)
	b := apptest.NewBrowser(t, "patient")
	paste := func(text string) {
		b.Eval(t, fmt.Sprintf(`(() => {
			const clipboardData = new DataTransfer();
			clipboardData.setData('text', %q);
			document.querySelector('#code').dispatchEvent(new ClipboardEvent('paste', { clipboardData, cancelable: true }));
		})()`, text), nil)
	}
	b.Load(t, info.URL)
	paste("Ihr Code:\n" + info.Patient.Code + "\nMit freundlichen Grüßen")
	b.Is(t, `document.querySelector('#code').value === '`+info.Patient.Code+`'`)
	typed := info.URL + "?utm_source=" + strings.Repeat("x", 100) + "#" + info.Patient.Code + "."
	b.Eval(t, `void (document.querySelector('#code').value = '')`, nil)
	b.Write(t, "#code", typed)
	b.Join(t)
	b.Wait(t, apptest.IsWaiting)
}

// noAnswer makes a browser in which nobody answers the question for the camera.
const noAnswer = `void (navigator.mediaDevices.getUserMedia = () => new Promise((answer) => { (window.questions ??= []).push(answer); }))`

// TestCameraQuestionNobodyAnswers checks that there is a way in without an answer, that nobody is
// notified before, and that a late answer changes nothing.
func TestCameraQuestionNobodyAnswers(t *testing.T) {
	t.Parallel()
	info, _ := apptest.StartDemo(t)
	doctor, patient := apptest.NewBrowser(t, "doctor"), apptest.NewBrowser(t, "patient")
	doctor.Open(t, info.Doctor.Link, "")
	doctor.Join(t)
	doctor.Wait(t, apptest.IsWaiting)
	patient.Open(t, info.Patient.Link, "")
	patient.Eval(t, noAnswer, nil)
	patient.Join(t)
	patient.Wait(t, visible("#without", "Join without"))
	doctor.Is(t, `!heard.includes('joined')`)
	patient.Click(t, "#without")
	patient.Wait(t, visible("#status", "will let you in"))
	patient.Is(t, visible("#camera-state", "will not be seen")+` && `+
		visible("#microphone-state", "will not be heard"))
	patient.Eval(t, `void questions[0](window.late = document.createElement('canvas').captureStream())`, nil)
	patient.Wait(t, `late.getTracks()[0].readyState === 'ended'`)
	patient.Is(t, `questions.length === 1 && !document.querySelector('#self').srcObject`)
	doctor.LetIn(t)
	doctor.Wait(t, apptest.IsConnected)
	patient.WaitForCall(t)
}

// TestNoCameraForAWrongCode checks that the page only asks for the camera once it knows that the
// code is right.
func TestNoCameraForAWrongCode(t *testing.T) {
	t.Parallel()
	info, _ := apptest.StartDemo(t)
	b := apptest.NewBrowser(t, "patient")
	b.Open(t, info.URL+"#"+code.New().Format(), "")
	b.Eval(t, noAnswer, nil)
	b.Join(t)
	b.Wait(t, visible("#message", "no such code"))
	b.Is(t, `window.questions === undefined && sessionStorage.getItem('praxisrelay') === '{}'`)
}

// TestServerOutOfReachAtTheEntrance checks that the page promises nothing that it does not do.
func TestServerOutOfReachAtTheEntrance(t *testing.T) {
	t.Parallel()
	info, _ := apptest.StartDemo(t)
	b := apptest.NewBrowser(t, "patient")
	b.Open(t, info.Patient.Link, "")
	b.Do(t, network.Enable(), network.SetBlockedURLs([]string{"*/v1/*"}))
	b.Join(t)
	b.Wait(t, visible("#message", "check your internet connection, and try again"))
	b.Do(t, network.SetBlockedURLs([]string{}))
	b.Join(t)
	b.Wait(t, apptest.IsWaiting)
}

// TestButtonsNameWhatTheyDo also checks that a text describes the state.
func TestButtonsNameWhatTheyDo(t *testing.T) {
	t.Parallel()
	info, _ := apptest.StartDemo(t)
	doctor, patient := apptest.Consult(t, [2]apptest.Starter{apptest.NewChromium, apptest.NewChromium},
		info.Doctor.Link, info.Patient.Link, "", "")
	says := func(element, text string) {
		t.Helper()
		patient.Is(t, visible(element, text))
	}
	patient.Is(t, `!document.querySelector('[aria-pressed]') && document.querySelectorAll('h1').length === 1`)
	says("#microphone", "Turn microphone off")
	patient.Is(t, `!document.querySelector('#microphone-state').checkVisibility()`)
	patient.Click(t, "#microphone")
	says("#microphone", "Turn microphone on")
	says("#microphone-state", "Your microphone is off.")
	patient.Click(t, `[data-lang="de"]`)
	says("#microphone", "Mikrofon einschalten")
	says("#microphone-state", "Ihr Mikrofon ist aus.")
	says("#status", "Verbunden mit der Praxis")
	doctor.Click(t, `[data-lang="de"]`)
	doctor.Is(t, visible("#status", "Verbunden mit der Patientin oder dem Patienten"))

	patient.Eval(t, `(() => {
		const [track] = document.querySelector('#self').srcObject.getVideoTracks();
		track.stop();
		track.dispatchEvent(new Event('ended')); // as if the device was unplugged
	})()`, nil)
	says("#camera-state", "Ihre Kamera ist unterbrochen.")
	patient.Is(t, `document.querySelector('#camera').disabled`)
}

// TestHangUpIsInTheWindow checks that the button is visible in windows of all sizes and in all
// languages.
func TestHangUpIsInTheWindow(t *testing.T) {
	t.Parallel()
	info, _ := apptest.StartDemo(t)
	doctor, patient := apptest.NewBrowser(t, "doctor"), apptest.NewBrowser(t, "patient")
	inside := func(b *apptest.Browser) {
		t.Helper()
		for _, size := range [][2]int64{{740, 360}, {390, 844}, {360, 640}, {1280, 800}} {
			b.Do(t, chromedp.EmulateViewport(size[0], size[1]))
			for _, language := range []string{"de", "en"} {
				b.Eval(t, `document.querySelector('[data-lang=`+language+`]').click()`, nil)
				var outside []string
				b.Eval(t, `[...document.querySelectorAll('#consultation button')].filter((button) => {
					const { left, top, right, bottom } = button.getBoundingClientRect();
					return button.checkVisibility() && (left < 0 || top < 0 || right > innerWidth || bottom > innerHeight ||
						!button.contains(document.elementFromPoint((left + right) / 2, (top + bottom) / 2)));
				}).map((button) => button.textContent)`, &outside)
				if len(outside) > 0 {
					t.Errorf("%s, %v, %s: %q cannot be pressed", b.Name, size, language, outside)
				}
			}
		}
	}
	doctor.Open(t, info.Doctor.Link, "")
	doctor.Join(t)
	doctor.Wait(t, apptest.IsWaiting)
	inside(doctor)
	patient.Open(t, info.Patient.Link, "")
	patient.Write(t, "#name", "Ada Lovelace, geborene Byron, mit einem langen Namen")
	patient.Join(t)
	doctor.Wait(t, visible("#admit", "Let in"))
	inside(doctor)
	doctor.LetIn(t)
	doctor.WaitForCall(t)
	doctor.Click(t, "#microphone")
	doctor.Click(t, "#camera")
	inside(doctor)
}

// TestPageWaitsWithARightCode checks that once the server has confirmed a code, wrong codes from
// the same network do not make the page give up.
func TestPageWaitsWithARightCode(t *testing.T) {
	t.Parallel()
	info, _ := apptest.StartDemo(t)
	b := apptest.NewBrowser(t, "page")
	b.Load(t, info.URL)
	var told []string
	b.Eval(t, `(async () => {`+clock+`
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
