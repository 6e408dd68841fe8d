// The page: from the code that a person types to the consultation.

import { grant, proves, revoke, seen } from './admission.js';
import { derive, format, parse, unescape } from './code.js';
import { fromBase64, newEpoch } from './seal.js';
import { ask, Signaling } from './signaling.js';
import { Call, choose } from './call.js';
import { openMedia, showDevices, stop, toggle } from './media.js';
import { claim, forget, keep, kept } from './visit.js';
import { say, show, startWords, tidy } from './words.js';

const $ = (id) => document.getElementById(id);

// When a credential is near its expiry, and how soon a newer one is asked for, in
// milliseconds. A timer takes no more than 24 days.
const nearExpiry = 5 * 60 * 1000;
const soonest = 60 * 1000;
const latest = 24 * 60 * 60 * 1000;

// How long the server may take to answer when nothing comes from the partner any more:
// a new way has to be found through it, soon, and a new connection to it costs little.
// So it is asked as soon as the partner is quiet.
const stallCheck = 700;

// How often the doctor's page asks the server why there is no call, in milliseconds.
const explainEvery = 10000;

// How long the browser's question for the camera stands before there is another way, in
// milliseconds.
const mediaPatience = 5000;

// After these errors the code opens nothing any more.
const final = ['unknown-code', 'over', 'revoked'];

// How often a code may be stretched: a server that wants it less is none of ours, and one
// that wants it more would keep the device busy for longer than anybody waits.
const minRounds = 600000;
const maxRounds = 10000000;

// How long a click is not taken after somebody else is shown to wait, in milliseconds: it
// was meant for the person shown before.
const glance = 1000;

const options = new URLSearchParams(location.search);

let stream; // camera and microphone
let signaling;
let call;
let partner; // { seat, epoch, admitted, name } of the session that the call is with
let configuration; // of media connections; nothing until this seat is admitted
let expires = 0; // when its credential does, by the page's own clock: the device's may be wrong
let renewal; // the timer for a newer one
let connected = false;
let gone = false; // the partner's session left the server
let unreachable = false; // the server is
let asked = false; // for another way, since then
let resting; // the timer for taking clicks again
let wondering; // the timer for asking why there is no call
let admitted = new Set(); // epochs that were let in here
let knocking = { last: -Infinity }; // { epoch, name, last } of who was shown to wait, and when that was last so

// --- the entrance

function complain(key, argument) {
  show('message', key, argument);
  $('message').classList.remove('calm');
  $('code').toggleAttribute('aria-invalid', key?.startsWith('codeErrors') ?? false);
}

function inform(key, argument) {
  complain(key, argument);
  $('message').classList.add('calm');
}

function enter(event) {
  event.preventDefault();
  try {
    keep({ code: parse($('code').value) });
  } catch (error) {
    complain(`codeErrors.${error.reason}`);
    $('code').focus();
    return;
  }
  start();
}

// start takes the seat of the code that is kept, again after a hang-up.
function start() {
  keep({ name: $('name').value.trim(), at: undefined, window: newEpoch() });
  claim();
  join();
}

// join asks the server about the code before the browser asks for the camera. Nobody is
// told of the seat until both have answered.
async function join() {
  $('end').hidden = true;
  $('entrance').hidden = false;
  $('code').value = format(kept().code);
  busy(true);
  inform('stretching');
  try {
    const response = await fetch('/v1/info');
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    const { salt, rounds, max_message: maxMessage } = await response.json();
    if (!(rounds >= minRounds)) throw new Error('the server would have the code stretched too little');
    if (!(rounds <= maxRounds)) throw new Error('the server would have the code stretched for too long');
    const keys = await derive(kept().code, fromBase64(salt), rounds);
    const { welcome, error } = await ask(keys);
    if (welcome?.seat === 'test') {
      forget();
      busy(false);
      inform('testCode', `${location.origin}/`);
      return;
    }
    if (error && error.code !== 'maintenance') {
      ended(error);
      return;
    }
    await allow();
    complain('');
    signaling = new Signaling(
      keys,
      maxMessage,
      { welcome: welcomed, ice, joined, left, message, explanation, tampered, back, lost, maintenance, ended },
      options.get('signaling') === 'poll',
    );
  } catch (error) {
    console.warn(error.message);
    busy(false);
    complain(error instanceof TypeError ? 'unreachable' : 'fault'); // fetch throws TypeErrors
  }
}

const busy = (on) => { $('join').querySelector('button').disabled = on; };

// allow opens camera and microphone. A question of the browser may stay unanswered.
async function allow() {
  inform('media');
  const enough = new AbortController();
  $('without').onclick = () => enough.abort();
  const timer = setTimeout(() => { $('without').hidden = false; }, mediaPatience);
  stream = await openMedia(enough.signal);
  clearTimeout(timer);
  $('without').hidden = true;
  mirror();
}

function mirror() {
  $('mirror').hidden = $('self').hidden = !stream?.getVideoTracks().length;
  $('preview').srcObject = $('self').srcObject = stream ?? null;
}

// leave goes back to the entrance.
function leave() {
  const wasInside = !$('consultation').hidden;
  endCall();
  signaling = configuration = undefined;
  admitted.clear();
  clearTimeout(renewal);
  clearInterval(wondering);
  stop(stream);
  stream = undefined;
  mirror();
  $('consultation').hidden = true;
  show('warning');
  $('entrance').hidden = false;
  busy(false);
  return wasInside;
}

// endCall ends the call, and waits for a partner again.
function endCall() {
  call?.close();
  call = partner = undefined;
  connected = gone = false;
  picture(null);
  show('explanation');
  knock();
}

// picture shows the partner's, or one's own alone.
function picture(remote) {
  $('partner').srcObject = remote;
  $('consultation').classList.toggle('alone', !remote);
}

// --- the consultation

const isDoctor = () => signaling?.seat === 'doctor';

function welcomed({ seat, present, closes }) {
  keep({ at: 'in', closes });
  showDevices(stream);
  if (!connected) show('status', `waiting.${seat}`);
  if ($('consultation').hidden) {
    $('entrance').hidden = true;
    $('consultation').hidden = false;
    $('status').focus();
  }
  clearInterval(wondering);
  if (isDoctor()) wondering = setInterval(wonder, explainEvery);
  present.forEach(joined);
}

// ice comes when this seat is let in, and with every newer credential.
function ice(given) {
  configuration = {
    iceServers: choose(given.servers, options.get('transport')),
    iceTransportPolicy: options.get('policy') === 'relay' ? 'relay' : 'all',
  };
  const lifetime = 1000 * (given.lifetime ?? 0); // a server of an older version gives none
  expires = performance.now() + lifetime;
  clearTimeout(renewal);
  renewal = setTimeout(() => signaling.renew(), Math.min(Math.max(soonest, lifetime - 2 * nearExpiry), latest));
  if (!call) begin();
  else {
    call.configure(configuration);
    if (!call.connected) call.restart();
  }
}

// joined is about a session of the partner: a new one, one that was let in, or one
// that found its way back to the server.
function joined(present) {
  gone = false;
  if (partner?.epoch !== present.epoch) {
    endCall();
    partner = { name: '' };
  }
  Object.assign(partner, present);
  signaling.send(partner, { name: kept().name, admission: kept().admission });
  if (partner.admitted) admitted.add(partner.epoch);
  else if (isDoctor() && admitted.has(partner.epoch)) signaling.admit(partner);
  knock();
  if (!call) begin();
  else if (!call.connected) call.restart();
}

// knock shows the doctor who waits. Where another one waits than a moment ago, the button
// rests.
function knock() {
  const waits = isDoctor() && partner && !gone && !admitted.has(partner.epoch);
  const now = performance.now();
  if (!$('admission').hidden) knocking.last = now;
  if (waits) {
    const { epoch, name } = partner;
    const other = epoch !== knocking.epoch || (knocking.name && name !== knocking.name);
    if (other && now - knocking.last < glance) rest();
    knocking = { epoch, name, last: now };
  }
  $('admission').hidden = !waits;
  show('knock', waits ? 'knock' : '', partner?.name);
}

function rest() {
  $('admit').disabled = true;
  clearTimeout(resting);
  resting = setTimeout(() => { $('admit').disabled = false; }, glance);
}

function letIn() {
  admitted.add(partner.epoch);
  signaling.admit(partner);
  knock();
  show('status', 'connecting');
}

function admit() {
  letIn();
  signaling.send(partner, { admission: grant(partner.seat) });
  $('status').focus(); // the button that had the focus is gone
}

// begin starts the call as soon as both are let in.
function begin() {
  if (!partner) return;
  if (!configuration || (isDoctor() && !partner.admitted)) {
    if (!isDoctor()) show('status', 'admission');
    else if (!admitted.has(partner.epoch)) show('status'); // the doctor is shown who waits
    return;
  }
  const to = partner;
  call = new Call(configuration, stream, isDoctor(), {
    send: (object) => signaling?.send(to, object),
    track: (remote) => {
      to.stream = remote;
      picture(remote);
    },
    state: (state) => { if (partner === to) changed(state); },
    quiet: () => signaling?.check(stallCheck),
    stalled: () => { if (partner === to) stalled(); },
  });
  show('status', 'connecting');
}

// wonder asks why there is no call, unless it is for the doctor to let somebody in.
function wonder() {
  if (!gone && admitted.has(partner?.epoch)) seen();
  if (!connected && !unreachable && $('admission').hidden) signaling.explain();
}

// explanation is shown when something is wrong. While nobody else is there, what is
// nobody's fault is no news.
function explanation({ cause, side, text }) {
  const news = !connected && (side !== 'nobody' || (call && cause !== 'connecting'));
  show('explanation', news ? 'explanation' : '', text);
}

// left does not end the call: media does not need the server. What does not flow is
// kept for when the same session comes back.
function left({ epoch }) {
  if (partner?.epoch !== epoch) return;
  gone = true;
  knock();
  if (connected) return;
  picture(null);
  show('status', `waiting.${signaling.seat}`);
}

// stalled looks for another way when nothing arrives: the network may have changed.
function stalled() {
  if (gone) {
    left(partner);
    return;
  }
  signaling.check(stallCheck);
  restart();
}

// restart asks the partner for another way. Without a server it asks once: what is said
// then waits, and the newest is what counts.
function restart() {
  if (unreachable && asked) return;
  asked = unreachable;
  if (expires - performance.now() < nearExpiry) signaling.renew();
  call.restart();
}

// back is when a way that was looked for without a server has to be looked for again.
function back() {
  unreachable = asked = false;
  if (call && !call.connected) restart();
}

function message(from, object) {
  if (from.epoch !== partner?.epoch) return;
  if (object.bye) {
    if (admitted.has(from.epoch)) revoke(); // who comes back after that asks to be let in
    endCall();
    show('status', 'left');
  } else if ('name' in object) {
    partner.name = tidy(object.name);
    if (isDoctor() && !admitted.has(from.epoch) && proves(partner, object.admission)) letIn();
    knock();
    if (connected) changed('connected');
  } else if ('admission' in object) {
    if (!isDoctor()) keep({ admission: String(object.admission).slice(0, 60) });
  } else {
    call?.receive(object);
  }
}

function tampered() { show('warning', 'tampered'); }

function changed(state) {
  connected = state === 'connected';
  if (connected) {
    picture(partner.stream ?? null);
    show('explanation');
  }
  if (connected) show('status', 'connected', partner);
  else if (state === 'connecting') show('status', 'connecting');
  else if (state === 'disconnected' || state === 'failed') show('status', gone ? `waiting.${signaling.seat}` : 'reconnecting');
}

function lost() {
  unreachable = true;
  if ($('consultation').hidden) complain('offline');
  else if (!connected) show('status', 'offline');
}

// maintenance is of no concern to a call that is there.
function maintenance(error) {
  unreachable = true;
  if ($('consultation').hidden) inform('maintenance', error);
  else if (!connected) show('status', 'maintenance', error);
}

function ended(error) {
  if (final.includes(error.code)) forget();
  else keep({ at: undefined });
  if (error.code === 'over' && connected) return; // a consultation may run over
  const wasInside = leave();
  complain(say(`errors.${error.code}`, error) ? `errors.${error.code}` : 'fault', error);
  if (wasInside) $('message').focus();
}

// hangUp tells the partner, so that they need not wait for the network to notice.
function hangUp() {
  signaling.hangUp(partner, { bye: true });
  leave();
  keep({ at: 'out', admission: undefined, grant: undefined });
  farewell();
}

// farewell offers to join again, for as long as the code is kept.
function farewell() {
  $('entrance').hidden = true;
  $('end').hidden = false;
  $('again').hidden = !kept().code;
  show('goodbye', kept().code ? 'goodbye' : 'goodbyeOver', kept().closes);
  $('goodbye').focus();
}

function done() {
  forget();
  $('join').reset();
  $('end').hidden = true;
  $('entrance').hidden = false;
  inform('forgotten');
  $('message').focus();
}

// --- the start

// codeIn returns the code in a text, or ''.
function codeIn(text) {
  try {
    return parse(text);
  } catch {
    return '';
  }
}

// take takes a code out of the page's address, where others might see it. In an
// invitation's link it is behind the #, which goes to no server; where a mail program
// escaped that, or left it out, the server has answered with this page.
function take() {
  const address = unescape(location.pathname + location.search + location.hash);
  const code = codeIn(address);
  const [before, ...behind] = address.split('#');
  if (!code && !behind.length && location.pathname === '/') return;
  const query = /\?.+/.exec(before)?.[0] ?? '';
  history.replaceState(null, '', `/${codeIn(query) ? '' : query}`);
  if (signaling || $('join').querySelector('button').disabled) return; // one consultation at a time
  if (code && code !== kept().code) $('name').value = ''; // it may be another person's
  if (code) keep({ code, at: undefined });
  $('code').value = code ? format(code) : behind.join('#');
  $('end').hidden = true;
  $('entrance').hidden = false;
  complain('');
}

// paste takes the code out of what is pasted: a field would run its lines together.
function paste(event) {
  const code = codeIn(event.clipboardData.getData('text'));
  if (!code) return;
  event.preventDefault();
  $('code').value = format(code);
  complain('');
}

// resume goes on where the window was before it was loaded again.
async function resume() {
  const { code, name, at } = kept();
  $('entrance').hidden = false;
  if (name) $('name').value = name;
  if (code) $('code').value = format(code);
  take();
  if (kept().at !== at) return; // a link was followed
  if (at === 'out') farewell();
  else if (at === 'in' && !(await claim())) {
    keep({ at: undefined });
    inform('elsewhere');
  } else if (at === 'in') join();
}

startWords();
$('join').addEventListener('submit', enter);
$('code').addEventListener('input', () => complain(''));
$('code').addEventListener('paste', paste);
$('microphone').addEventListener('click', () => toggle(stream, 'audio'));
$('camera').addEventListener('click', () => toggle(stream, 'video'));
$('leave').addEventListener('click', hangUp);
$('again').addEventListener('click', start);
$('done').addEventListener('click', done);
$('admit').addEventListener('click', admit);
addEventListener('beforeunload', (event) => { if (call) event.preventDefault(); });
addEventListener('pagehide', () => signaling?.leave());
addEventListener('pageshow', ({ persisted }) => { if (persisted) location.reload(); });
addEventListener('hashchange', take);
addEventListener('online', () => { if (connected) restart(); });
if (!globalThis.RTCPeerConnection || !globalThis.crypto?.subtle || !navigator.mediaDevices) {
  $('entrance').hidden = false;
  take();
  complain('unsupported');
  busy(true);
} else resume();
