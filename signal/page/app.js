// The page: from the code that a person types to the consultation.

import { CodeError, derive, format, parse } from './code.js';
import { fromBase64 } from './seal.js';
import { Signaling } from './signaling.js';
import { Call, choose } from './call.js';
import { openMedia, showDevices, toggle } from './media.js';
import { say, show, startWords } from './words.js';

const $ = (id) => document.getElementById(id);

// A credential is near its expiry, in milliseconds.
const nearExpiry = 5 * 60 * 1000;

// How long the server may take to answer when nothing comes from the partner any more:
// a new way has to be found through it, soon, and a new connection to it costs little.
// So it is asked as soon as the partner is quiet.
const stallCheck = 700;

// How often the doctor's page asks the server why there is no call, in milliseconds.
const explainEvery = 10000;

const minRounds = 600000; // of stretching a code; a server that wants fewer is none of ours
const options = new URLSearchParams(location.search);

let stream; // camera and microphone
let signaling;
let call;
let partner; // { seat, epoch, admitted, name } of the session that the call is with
let configuration; // of media connections; nothing until this seat is admitted
let expires = 0; // when its credential does
let renewal; // the timer for a newer one
let connected = false;
let gone = false; // the partner's session left the server
let unreachable = false; // the server is
let asked = false; // for another way, since then
let wondering; // the timer for asking why there is no call
let admitted = new Set(); // epochs that were let in here

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

async function enter(event) {
  event.preventDefault();
  const button = $('join').querySelector('button');
  try {
    const letters = parse($('code').value);
    $('code').value = format(letters);
    button.disabled = true;
    inform('media');
    stream ??= await openMedia(); // a first try may have failed further on
    mirror();
    inform('stretching');
    const response = await fetch('/v1/info');
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    const { salt, rounds } = await response.json();
    if (!(rounds >= minRounds)) throw new Error('the server would have the code stretched too little');
    const keys = await derive(letters, fromBase64(salt), rounds);
    complain('');
    signaling = new Signaling(
      keys,
      { welcome, ice, joined, left, message, explanation, tampered, back, lost, maintenance, ended },
      options.get('signaling') === 'poll',
    );
  } catch (error) {
    button.disabled = false;
    if (error instanceof CodeError) {
      complain(`codeErrors.${error.reason}`);
      $('code').focus();
    } else {
      console.warn(error.message);
      complain('offline');
    }
  }
}

function mirror() {
  $('mirror').hidden = !stream?.getVideoTracks().length;
  $('preview').srcObject = $('self').srcObject = stream ?? null;
}

// leave goes back to the entrance.
function leave() {
  forget();
  signaling = configuration = undefined;
  admitted.clear();
  clearTimeout(renewal);
  clearInterval(wondering);
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = undefined;
  mirror();
  $('consultation').hidden = true;
  show('warning');
  $('entrance').hidden = false;
  $('join').querySelector('button').disabled = false;
}

// forget ends the call, and waits for a partner anew.
function forget() {
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

function welcome({ seat, present }) {
  if (seat === 'test') {
    signaling.hangUp();
    leave();
    inform('testCode', `${location.origin}/`);
    return;
  }
  $('entrance').hidden = true;
  $('consultation').hidden = false;
  showDevices(stream);
  if (!connected) show('status', stream ? `waiting.${seat}` : 'noMedia');
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
  expires = Date.parse(given.expires);
  clearTimeout(renewal);
  renewal = setTimeout(() => signaling.renew(), Math.max(60000, expires - Date.now() - 2 * nearExpiry));
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
    forget();
    partner = { name: '' };
  }
  Object.assign(partner, present);
  signaling.send(partner, { name: $('name').value.trim() });
  if (partner.admitted) admitted.add(partner.epoch);
  else if (isDoctor() && admitted.has(partner.epoch)) signaling.admit(partner);
  knock();
  if (!call) begin();
  else if (!call.connected) call.restart();
}

// knock shows the doctor who waits.
function knock() {
  const waits = isDoctor() && partner && !gone && !admitted.has(partner.epoch);
  $('admission').hidden = !waits;
  show('knock', waits ? 'knock' : '', partner?.name);
}

function admit() {
  admitted.add(partner.epoch);
  signaling.admit(partner);
  knock();
  show('status', 'connecting');
  $('leave').focus(); // the button that had the focus is gone
}

// begin starts the call as soon as both are let in.
function begin() {
  if (!partner) return;
  if (!configuration || (isDoctor() && !partner.admitted)) {
    show('status', isDoctor() ? '' : 'admission'); // the doctor is shown who waits
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
  if (expires - Date.now() < nearExpiry) signaling.renew();
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
    forget();
    show('status', 'left');
  } else if ('name' in object) {
    partner.name = String(object.name).slice(0, 60);
    knock();
    if (connected) changed('connected');
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
  if (connected) show('status', 'connected', partner.name || say(`partner.${partner.seat}`));
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
  if (error.code === 'over' && connected) return; // a consultation may run over
  leave();
  complain(say(`errors.${error.code}`, error) ? `errors.${error.code}` : 'fault', error);
}

// hangUp tells the partner, so that they need not wait for the network to notice.
function hangUp() {
  signaling.hangUp(partner, { bye: true });
  leave();
  inform('goodbye');
}

// --- the start

startWords();
$('entrance').hidden = false;
$('join').addEventListener('submit', enter);
$('code').addEventListener('input', () => complain(''));
$('microphone').addEventListener('click', () => toggle(stream, 'audio'));
$('camera').addEventListener('click', () => toggle(stream, 'video'));
$('leave').addEventListener('click', hangUp);
$('admit').addEventListener('click', admit);
addEventListener('pagehide', () => signaling?.leave());
addEventListener('online', () => { if (connected) restart(); });

// An invitation's link holds the code behind the #, which goes to no server. It
// leaves the address bar at once, where others might see it.
if (location.hash.length > 1) {
  try {
    $('code').value = decodeURIComponent(location.hash.slice(1));
  } catch {
    // What cannot be decoded is no code.
  }
  history.replaceState(null, '', location.pathname + location.search);
}
if (!globalThis.RTCPeerConnection || !globalThis.crypto?.subtle || !navigator.mediaDevices) {
  complain('unsupported');
  $('join').querySelector('button').disabled = true;
}
