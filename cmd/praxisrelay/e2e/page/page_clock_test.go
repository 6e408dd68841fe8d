package page

import (
	"slices"
	"testing"

	"praxisrelay/cmd/praxisrelay/apptest"
)

// clock gives a page's modules a clock that the test controls, in milliseconds: advance runs what
// is due, in order.
const clock = `
	let now = 1000, timers = [];
	const pause = window.setTimeout.bind(window), settled = () => new Promise((done) => pause(done));
	const after = (work, pause, again) => timers.push({ work, pause, again, due: now + pause, id: timers.length + now }) && timers.at(-1).id;
	const forget = (id) => { timers = timers.filter((timer) => timer.id !== id); };
	performance.now = Date.now = () => now;
	Math.random = () => 1;
	window.setTimeout = (work, pause) => after(work, pause, false);
	window.setInterval = (work, pause) => after(work, pause, true);
	window.clearTimeout = window.clearInterval = forget;
	const advance = async (span) => {
		for (const end = now + span; ;) {
			const next = timers.toSorted((a, b) => a.due - b.due)[0];
			if (!next || next.due > end) {
				now = end;
				return;
			}
			now = next.due;
			if (next.again) next.due += next.pause;
			else forget(next.id);
			next.work();
			await settled();
		}
	};`

// TestPageNoticesWhatStopped checks how soon the page acts when nothing arrives any more.
func TestPageNoticesWhatStopped(t *testing.T) {
	info, _ := apptest.StartDemo(t)
	b := apptest.NewBrowser(t, "page")
	for _, c := range []struct {
		name, script string
		want         []string
	}{
		// While browsers look for a way, they select other pairs, which may lead nowhere.
		{"another pair is selected over which nothing arrives", `
			await flow(3000);
			await advance(1000);
			pair = 'b';
			await advance(9000);
			arrived++;
			await advance(250);`, []string{"quiet 1000", "stalled 1750", "stalled 5000", "stalled 9250", "flowing 10250"}},
		{"it stops once more, soon", `
			await flow(3000);
			await advance(3250);
			await flow(500);
			await advance(2000);`, []string{"quiet 1000", "stalled 1750", "flowing 3500", "quiet 1000", "stalled 1750"}},
		{"another way is looked for already", `
			await flow(3000);
			await advance(1250);
			path.hold();
			await advance(3250);`, []string{"quiet 1000", "stalled 4500"}},
		{"no pair is selected any more", `
			await flow(3000);
			pair = undefined;
			await advance(6000);`, []string{"quiet 1000", "stalled 1750", "stalled 5000"}},
		{"no media, and checks are answered", `for (let i = 0; i < 10; i++) { arrived++; await advance(2500); }`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.Load(t, "about:blank")
			b.Load(t, info.URL)
			var got []string
			b.Eval(t, `(async () => {`+clock+`
				const { Path } = await import('/path.js');
				let pair = 'a', arrived = 0, stopped = 0;
				const getStats = async () => new Map([
					['transport', { type: 'transport', selectedCandidatePairId: pair }],
					[pair, { id: pair, type: 'candidate-pair', bytesReceived: arrived, responsesReceived: 0 }],
				]);
				const calls = [];
				const note = (name) => () => calls.push(name + ' ' + (now - stopped));
				const path = new Path({ connectionState: 'connected', getStats },
					{ quiet: note('quiet'), stalled: note('stalled'), flowing: note('flowing') });
				const flow = async (span) => {
					for (const end = now + span; now < end;) { arrived++; await advance(250); }
					stopped = now;
				};
				`+c.script+`
				return calls;
			})()`, &got)
			if !slices.Equal(got, c.want) {
				t.Errorf("the page was notified of %q, want %q", got, c.want)
			}
		})
	}
}

// TestPageComesBackAtOnce checks that frequent network changes do not make the page wait longer
// each time, as long as signaling worked before each.
func TestPageComesBackAtOnce(t *testing.T) {
	info, _ := apptest.StartDemo(t)
	b := apptest.NewBrowser(t, "page")
	b.Load(t, info.URL)
	var pauses []float64
	b.Eval(t, `(async () => {`+clock+`
		const sockets = [], pauses = [];
		window.WebSocket = class {
			static OPEN = 1;
			readyState = 1;
			listeners = {};
			constructor() { sockets.push(this); }
			addEventListener(type, listener) { this.listeners[type] = listener; }
			hear(frame) { this.listeners.message({ data: JSON.stringify(frame) }); }
			send() {}
			close() {}
		};
		const { Connection } = await import('/connection.js'), { Session } = await import('/session.js');
		const session = new Session(new Uint8Array(32), '', () => {});
		const connection = new Connection(session, false, { back() {}, lost() {} });
		for (let change = 0; change < 5; change++) {
			const socket = sockets.at(-1);
			socket.listeners.open();
			socket.hear(change ? { resumed: { received: 0 } } : { n: 1, welcome: { session: 'a' } });
			await advance(5000);
			connection.check(700);
			await advance(300);
			connection.check(700); // does not postpone it
			await advance(400);
			const lost = now;
			while (sockets.at(-1) === socket && now < lost + 20000) await advance(100);
			pauses.push(now - lost);
		}
		return pauses;
	})()`, &pauses)
	if len(pauses) != 5 || slices.Max(pauses) > 200 {
		t.Errorf("the page came back after %v ms", pauses)
	}
}

// TestPagePollsAnewAndSpeaks checks that after a lost poll the page can send although the server,
// which has nothing to send, may hold the next poll for a long time.
func TestPagePollsAnewAndSpeaks(t *testing.T) {
	t.Parallel()
	info, _ := apptest.StartDemo(t)
	b := apptest.NewBrowser(t, "page")
	b.Load(t, info.URL)
	var carried bool
	b.Eval(t, `(async () => {`+clock+`
		const posts = [];
		const answer = { ok: true, json: async () => ({ frames: [{ resumed: { received: 0 } }] }) };
		window.fetch = (url, { body }) => new Promise((resolve) => {
			posts.at(-1)?.resolve(answer); // as the server does, which only holds the last poll
			posts.push({ frames: JSON.parse(body).frames, resolve });
		});
		const { Polling } = await import('/polling.js'), { Session } = await import('/session.js');
		const session = new Session(new Uint8Array(32), '', () => {});
		session.take({ n: 1, welcome: { session: 'a' } });
		const polling = new Polling(session, (frame) => session.take(frame), () => {});
		await advance(1000);
		session.queue({ ice: {} });
		polling.wake();
		await advance(200);
		return posts.at(-1).frames.some((frame) => 'ice' in frame);
	})()`, &carried)
	if !carried {
		t.Error("the page's message waits until the server has something to send")
	}
}

// TestPageSaysAgainWhatWasNotTaken checks that the page repeats rejected frames while another post
// is held: frames that come too fast are rejected, and posts may overtake each other.
func TestPageSaysAgainWhatWasNotTaken(t *testing.T) {
	t.Parallel()
	info, _ := apptest.StartDemo(t)
	b := apptest.NewBrowser(t, "page")
	b.Load(t, info.URL)
	var said int
	b.Eval(t, `(async () => {`+clock+`
		let posts = 0, said = 0;
		window.fetch = (url, { body }) => new Promise((resolve) => {
			const speaks = JSON.parse(body).frames.some((frame) => 'ice' in frame);
			if (speaks) said++;
			if (speaks || ++posts === 1) resolve({ ok: true, json: async () => ({ frames: [{ resumed: { received: said > 1 ? 1 : 0 } }] }) });
		});
		const { Polling } = await import('/polling.js'), { Session } = await import('/session.js');
		const session = new Session(new Uint8Array(32), '', () => {});
		session.take({ n: 1, welcome: { session: 'a' } });
		const polling = new Polling(session, (frame) => session.take(frame), () => {});
		await advance(1000);
		session.queue({ ice: {} });
		polling.wake();
		await advance(1000);
		return said;
	})()`, &said)
	if said != 2 {
		t.Errorf("the frame was sent %d times, want 2", said)
	}
}
