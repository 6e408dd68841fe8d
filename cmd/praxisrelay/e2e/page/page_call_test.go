package page

import (
	"fmt"
	"slices"
	"testing"

	"praxisrelay/cmd/praxisrelay/apptest"
)

// twoCalls is a page with both sides of a call, over connections that behave as the test says. Each
// side notes what it makes and restarts, with the milliseconds since began.
const twoCalls = `
	const notes = [];
	let began = 0;
	const note = (text) => notes.push(text + ' ' + (now - began));
	let owner = ''; // of the connection being made
	const made = { doctor: [], patient: [] };
	window.RTCPeerConnection = class extends EventTarget {
		connectionState = 'new';
		signalingState = 'stable';
		remoteDescription = null;
		got = { path: 0, audio: 0, video: 0 };
		candidates = [];
		constructor() {
			super();
			this.owner = owner;
			this.number = made[owner].push(this);
			note(owner + ' made ' + this.number);
			setTimeout(() => this.dispatchEvent(new Event('negotiationneeded')), 0);
		}
		addTrack() {}
		addTransceiver() {}
		restartIce() {
			note(this.owner + ' restarted ' + this.number);
			this.dispatchEvent(new Event('negotiationneeded'));
		}
		async setLocalDescription() {
			const answers = this.signalingState === 'have-remote-offer';
			this.localDescription = { type: answers ? 'answer' : 'offer' };
			this.signalingState = answers ? 'stable' : 'have-local-offer';
			if (answers && this.connectionState === 'new') this.become('connected');
		}
		async setRemoteDescription(description) {
			this.remoteDescription = description;
			this.signalingState = description.type === 'answer' ? 'stable' : 'have-remote-offer';
			if (description.type === 'answer' && this.connectionState === 'new') this.become('connected');
		}
		async addIceCandidate(candidate) { this.candidates.push(candidate); }
		become(state) {
			this.connectionState = state;
			this.dispatchEvent(new Event('connectionstatechange'));
		}
		async getStats() {
			const { path, audio, video } = this.got;
			return new Map([
				['t', { type: 'transport', selectedCandidatePairId: this.connectionState === 'new' ? undefined : 'p' }],
				['p', { id: 'p', type: 'candidate-pair', bytesReceived: 0, responsesReceived: path }],
				['a', { type: 'inbound-rtp', kind: 'audio', packetsReceived: audio }],
				['v', { type: 'inbound-rtp', kind: 'video', framesDecoded: video, packetsReceived: 2 * video }],
			]);
		}
		close() { this.connectionState = this.signalingState = 'closed'; }
	};
	const { Call } = await import('/call.js');
	const track = (kind) => Object.assign(new EventTarget(), { kind, readyState: 'live', muted: false });
	const device = (...kinds) => {
		const tracks = kinds.map(track), of = (kind) => () => tracks.filter((track) => track.kind === kind);
		return { getTracks: () => tracks, getAudioTracks: of('audio'), getVideoTracks: of('video') };
	};
	const calls = {}, told = {}; // the connection's states
	let reachable = true, waiting = [];
	const deliver = ([to, text]) => {
		owner = to;
		calls[to]?.receive(JSON.parse(text));
	};
	const change = { doctor: (object) => object, patient: (object) => object }; // their frames, changed as by another page
	const call = (side, stream) => {
		const to = side === 'doctor' ? 'patient' : 'doctor';
		owner = side;
		calls[side] = new Call({ iceServers: [{ urls: ['a', 'b', 'c'] }] }, stream, side === 'doctor', {
			send: (object) => waiting.push([to, JSON.stringify(change[side](object))]),
			track() {}, quiet() {},
			state: (state) => { told[side] = state; },
			stalled: () => { owner = side; calls[side].restart(); },
		});
	};
	const meet = async (doctors, patients) => {
		call('patient', patients);
		call('doctor', doctors);
		await live(3000);
		began = now;
		notes.length = 0;
	};
	// live lets time pass. flows(side) returns what the side's latest connection receives.
	let flows = () => ['path', 'audio', 'video'];
	const live = async (span) => {
		for (const end = now + span; now < end;) {
			for (const side in made) {
				const connection = made[side].at(-1);
				if (connection?.connectionState === 'connected') for (const kind of flows(side)) connection.got[kind]++;
			}
			await advance(250);
			while (reachable && waiting.length) {
				waiting.splice(0).forEach(deliver);
				for (let i = 0; i < 5; i++) await settled();
			}
		}
	};
	const states = () => ['doctor', 'patient'].map((side) => made[side].map((c) => c.connectionState).join(' ')).join(', ');`

// TestPageReplacesWhatFailed checks that both sides replace a connection that failed, or that
// carries no media although its path answers, and restart any other.
func TestPageReplacesWhatFailed(t *testing.T) {
	t.Parallel()
	info, _ := apptest.StartDemo(t)
	b := apptest.NewBrowser(t, "page")
	const both = `await meet(device('audio', 'video'), device('audio', 'video'));`
	const replaced = "closed connected, closed connected"
	for _, c := range []struct {
		name, script string
		want         []string
	}{
		{"the doctor's side fails", both + `
			made.doctor[0].become('failed');
			await live(3000);
			notes.push(states());`, []string{"doctor made 2 1750", "patient made 2 1750", replaced}},
		{"the patient's side fails", both + `
			made.patient[0].become('failed');
			await live(3000);
			notes.push(states());`, []string{"doctor made 2 1750", "patient made 2 2000", replaced}},
		{"both fail at once", both + `
			made.patient[0].become('failed');
			made.doctor[0].become('failed');
			await live(20000);
			notes.push(states());`, []string{"doctor made 2 1750", "patient made 2 1750", replaced}},
		{"it shows as failed for a moment", both + `
			made.doctor[0].become('failed');
			await live(1000);
			made.doctor[0].become('connected');
			await live(9000);
			notes.push(states());`, []string{"connected, connected"}},
		{"both fail while the server is away", both + `
			reachable = false;
			made.patient[0].become('failed');
			await live(1000);
			made.doctor[0].become('failed');
			await live(20000);
			reachable = true;
			await live(3000);
			notes.push(states());`, []string{"doctor made 2 2750", "doctor restarted 2 12750", "patient made 2 21250", replaced}},
		{"what belongs to an older connection is ignored", both + `
			made.doctor[0].become('failed');
			await live(3000);
			for (const call of [1, 2]) {
				deliver(['doctor', JSON.stringify({ candidate: 'of ' + call, call })]);
				deliver(['patient', JSON.stringify({ candidate: 'of ' + call, call })]);
			}
			deliver(['doctor', JSON.stringify({ restart: true, failed: true, call: 1 })]);
			deliver(['patient', JSON.stringify({ description: { type: 'offer' }, offer: 9, call: 1 })]);
			await live(3000);
			notes.push(states(), ...[...made.doctor, ...made.patient].map((c) => c.candidates.join()));`,
			[]string{"doctor made 2 1750", "patient made 2 1750", replaced, "", "of 2", "", "of 2"}},
		{"the other side says what is not its to say", both + `
			const said = (to, type, sections, candidates) => deliver([to, JSON.stringify({ call: 1, offer: 1, description: {
				type, sdp: ['v=0', ...Array(sections).fill('m=video'), ...Array(candidates).fill('a=candidate:1')].join('\n'), made: 'up',
			} })]);
			said('doctor', 'offer', 2, 0);
			said('doctor', 'rollback', 0, 0);
			said('doctor', 'answer', 5, 0);
			said('patient', 'answer', 2, 0);
			said('patient', 'offer', 5, 0);
			said('patient', 'offer', 2, 201);
			await live(1000);
			notes.push(...[made.doctor, made.patient].map(([c]) => c.remoteDescription.made ?? 'right'), states());
			said('patient', 'offer', 4, 200);
			await live(1000);
			notes.push(made.patient[0].remoteDescription.made);
			for (let i = 0; i < 1000; i++) deliver(['patient', JSON.stringify({ candidate: i, call: 1 })]);
			await live(1000);
			notes.push(String(made.patient[0].candidates.length));`, []string{"right", "right", "connected, connected", "up", "200"}},
		{"an offer meets a side that failed", both + `
			made.patient[0].become('failed');
			calls.doctor.restart();
			await live(1000);
			notes.push(states());`, []string{"doctor restarted 1 0", "doctor made 2 250", "patient made 2 500", replaced}},
		{"a late candidate revives what failed, without media", both + `
			made.doctor[0].become('failed');
			await live(1000);
			made.doctor[0].become('connected');
			flows = (side) => side === 'doctor' && made.doctor.length === 1 ? ['path'] : ['path', 'audio', 'video'];
			await live(9000);
			notes.push(states());`, []string{"doctor made 2 4250", "patient made 2 4250", replaced}},
		{"the other side asks for a new connection, and goes away", both + `
			deliver(['doctor', JSON.stringify({ restart: true, failed: true, call: 1 })]);
			reachable = false;
			await live(12000);
			notes.push(told.doctor);`, []string{"doctor made 2 0", "doctor restarted 2 10000", "disconnected"}},
		{"checks are answered, but no media comes", both + `
			flows = (side) => side === 'patient' && made.patient.length === 1 ? ['path'] : ['path', 'audio', 'video'];
			await live(12000);
			notes.push(states());`, []string{"doctor restarted 1 1750", "doctor made 2 6000", "patient made 2 6250", replaced}},
		{"nothing comes at all", both + `
			flows = () => [];
			await live(6000);
			notes.push(states());`, []string{"doctor restarted 1 1750", "doctor restarted 1 5000", "connected, connected"}},
		{"no picture comes, but sound", both + `
			flows = (side) => side === 'patient' && made.patient.length === 1 ? ['path', 'audio'] : ['path', 'audio', 'video'];
			await live(20000);
			notes.push(states());`, []string{"doctor restarted 1 6250", "doctor made 2 11250", "patient made 2 11500", replaced}},
		{"a camera gives nothing for good", both + `
			flows = (side) => side === 'patient' ? ['path', 'audio'] : ['path', 'audio', 'video'];
			await live(2 * 60000);
			notes.splice(0, notes.length, made.doctor.length + ' in all');`, []string{"3 in all"}},
		{"a camera is pulled out", `
			const camera = device('audio', 'video');
			await meet(camera, device('audio', 'video'));
			const [picture] = camera.getVideoTracks();
			picture.readyState = 'ended';
			picture.dispatchEvent(new Event('ended'));
			flows = (side) => side === 'patient' ? ['path', 'audio'] : ['path', 'audio', 'video'];
			await live(30000);
			notes.push(states());`, []string{"connected, connected"}},
		{"nobody has a device", `
			await meet(undefined, undefined);
			flows = () => now % 2500 === 0 ? ['path'] : [];
			await live(30000);
			notes.push(states());`, []string{"connected, connected"}},
		{"one side only has a microphone", `
			await meet(device('audio', 'video'), device('audio'));
			flows = (side) => side === 'doctor' ? ['path', 'audio'] : ['path', 'audio', 'video'];
			await live(30000);
			notes.push(states());`, []string{"connected, connected"}},
		{"the doctor's page is of an older version", `
			change.doctor = ({ call, sends, failed, ...object }) => object;
			await meet(device('audio', 'video'), device('audio', 'video'));
			flows = (side) => side === 'patient' ? ['path'] : ['path', 'audio', 'video'];
			await live(10000);
			made.patient[0].become('failed');
			calls.doctor.restart();
			await live(1000);
			notes.push(made.patient[0].localDescription.type, made.patient[0].signalingState, states());`,
			[]string{"doctor restarted 1 10000", "answer", "stable", "connected, failed"}},
		{"it is restarted often", both + `
			for (let i = 0; i < 20; i++) { calls.doctor.restart(); await live(500); }
			flows = () => [];
			await live(6000);
			notes.push(states());`, []string{"doctor restarted 1 0", "doctor restarted 1 500", "doctor restarted 1 1000",
			"doctor restarted 1 1500", "doctor restarted 1 12000", "connected, connected"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.Load(t, "about:blank")
			b.Load(t, info.URL)
			var got []string
			b.Eval(t, `(async () => {`+clock+twoCalls+c.script+`
				calls.doctor.close();
				calls.patient.close();
				return notes;
			})()`, &got)
			if !slices.Equal(got, c.want) {
				t.Errorf("noted %q, want %q", got, c.want)
			}
		})
	}
}

// TestRestartsAreNotRefused runs both sides of a call in one page, over the relay. However often
// they look for another way, the relay has room for it.
func TestRestartsAreNotRefused(t *testing.T) {
	t.Parallel()
	info, _ := apptest.StartDemo(t)
	b := apptest.NewBrowser(t, "page")
	b.Load(t, info.URL)
	ways := fmt.Sprintf(`['turn:%s?transport=udp', 'turn:%s?transport=tcp', 'turns:%s?transport=tcp']`,
		info.TURNUDP, info.TURNTCP, info.TURNTLS)
	var refused []int
	b.Eval(t, fmt.Sprintf(`(async () => {
		const { Call } = await import('/call.js');
		const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
		const calls = {}, refused = [], pause = (span) => new Promise((done) => setTimeout(done, span));
		const call = (side, other, username, credential) => {
			const configuration = { iceServers: [{ urls: %s, username, credential }], iceTransportPolicy: 'relay' };
			calls[side] = new Call(configuration, stream, side === 'doctor', {
				send: (object) => calls[other]?.receive(JSON.parse(JSON.stringify(object))),
				track() {}, state() {}, quiet() {}, stalled() {},
			});
		};
		call('patient', 'doctor', %q, %q);
		call('doctor', 'patient', %q, %q);
		for (const side of ['doctor', 'patient']) while (!calls[side].connected) await pause(50);
		for (const connection of connections) {
			connection.addEventListener('icecandidateerror', ({ errorCode }) => refused.push(errorCode));
		}
		for (let i = 0; i < 12; i++) {
			calls.doctor.restart();
			await pause(300);
		}
		for (const connection of connections) while (connection.iceGatheringState !== 'complete') await pause(50);
		for (const side of ['doctor', 'patient']) while (!calls[side].connected) await pause(50);
		return refused;
	})()`, ways, info.Patient.Username, info.Patient.Credential, info.Doctor.Username, info.Doctor.Credential), &refused)
	if slices.Contains(refused, 486) {
		t.Errorf("the relay refused: %v", refused)
	}
}
