// The page: from the code that a person types to the consultation.

import { CodeError, derive, format, parse } from './code.js';
import { fromBase64 } from './seal.js';
import { Signaling } from './signaling.js';
import { Call, choose } from './call.js';
import { preferred, text } from './text.js';

const $ = (id) => document.getElementById(id);
const options = new URLSearchParams(location.search);

let language = preferred();
let shown = {}; // id -> [key, argument] of texts that change, so that they can change language
let stream; // camera and microphone
let signaling;
let call;
let partner; // { seat, epoch, name } of the session that the call is with
let configuration;
let connected = false;
let gone = false; // the partner's session left the server

const say = (key, argument) => text(language, key, argument);

// show puts a text into an element, and keeps it right when the language changes.
function show(id, key, argument) {
  shown[id] = [key, argument];
  $(id).textContent = key ? say(key, argument) : '';
  $(id).hidden = !key;
}

function speak(wish) {
  language = wish;
  document.documentElement.lang = language;
  document.title = say('title');
  for (const element of document.querySelectorAll('[data-text]')) element.textContent = say(element.dataset.text);
  for (const [id, [key, argument]] of Object.entries(shown)) show(id, key, argument);
  for (const button of document.querySelectorAll('[data-lang]')) {
    button.toggleAttribute('aria-current', button.dataset.lang === language);
  }
}

// --- the entrance

function complain(key, argument) {
  show('message', key, argument);
  $('message').classList.remove('calm');
  $('code').toggleAttribute('aria-invalid', key?.startsWith('codeErrors') ?? false);
}

function inform(key) {
  complain(key);
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
    await openMedia();
    inform('stretching');
    const response = await fetch('/v1/info');
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    const { salt, rounds } = await response.json();
    const keys = await derive(letters, fromBase64(salt), rounds);
    complain('');
    signaling = new Signaling(keys, { welcome, joined, left, message, lost, ended });
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

// openMedia asks for camera and microphone, and for what there is of them.
async function openMedia() {
  const video = { facingMode: 'user', width: { ideal: 1280 }, height: { ideal: 720 } };
  for (const wish of [{ audio: true, video }, { audio: true }, { video }]) {
    try {
      stream = await navigator.mediaDevices.getUserMedia(wish);
      break;
    } catch (error) {
      console.warn('media:', error.name);
    }
  }
  $('mirror').hidden = !stream?.getVideoTracks().length;
  $('preview').srcObject = $('self').srcObject = stream ?? null;
}

// leave goes back to the entrance.
function leave() {
  call?.close();
  call = partner = signaling = undefined;
  connected = false;
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = undefined;
  for (const id of ['preview', 'self', 'partner']) $(id).srcObject = null;
  $('mirror').hidden = true;
  $('consultation').hidden = true;
  $('entrance').hidden = false;
  $('join').querySelector('button').disabled = false;
}

// --- the consultation

function welcome({ seat, ice_servers: servers, present }) {
  configuration = {
    iceServers: choose(servers, options.get('transport')),
    iceTransportPolicy: options.get('policy') === 'relay' ? 'relay' : 'all',
  };
  $('entrance').hidden = true;
  $('consultation').hidden = false;
  showDevices();
  call?.configure(configuration);
  if (!connected) show('status', stream ? `waiting.${seat}` : 'noMedia');
  present.forEach(joined);
}

// joined starts a call with a session of the partner. One that is known only found
// its way back to the server.
function joined(present) {
  gone = false;
  if (partner?.epoch === present.epoch) return;
  call?.close();
  connected = false;
  partner = present;
  const doctor = signaling.seat === 'doctor';
  const to = present;
  call = new Call(configuration, stream, doctor, {
    send: (object) => signaling?.send(to, object),
    track: (remote) => { $('partner').srcObject = remote; },
    state: (state) => { if (partner === to) changed(state); },
  });
  signaling.send(to, { name: $('name').value.trim() });
  show('status', 'connecting');
}

// left does not end the call: media does not need the server.
function left(present) {
  gone = partner?.epoch === present.epoch;
}

function message(from, object) {
  if (from.epoch !== partner?.epoch) return;
  if (object.bye) {
    call.close();
    call = partner = undefined;
    connected = false;
    $('partner').srcObject = null;
    show('status', 'left');
  } else if ('name' in object) {
    partner.name = String(object.name).slice(0, 60);
    if (connected) changed('connected');
  } else {
    call.receive(object);
  }
}

function changed(state) {
  connected = state === 'connected';
  if (connected) show('status', 'connected', partner.name || say(`partner.${partner.seat}`));
  else if (state === 'connecting') show('status', 'connecting');
  else if (state === 'disconnected' || state === 'failed') show('status', gone ? `waiting.${signaling.seat}` : 'reconnecting');
}

function lost() {
  if ($('consultation').hidden) complain('offline');
  else if (!connected) show('status', 'offline');
}

function ended(error) {
  leave();
  complain(say(`errors.${error.code}`, error) ? `errors.${error.code}` : 'fault', error);
}

function showDevices() {
  for (const [id, tracks] of [['microphone', stream?.getAudioTracks()], ['camera', stream?.getVideoTracks()]]) {
    const track = tracks?.[0];
    $(id).disabled = !track;
    $(id).setAttribute('aria-pressed', String(track?.enabled ?? false));
    show(id, track?.enabled ? `${id}On` : `${id}Off`);
  }
}

function toggle(tracks) {
  for (const track of tracks ?? []) track.enabled = !track.enabled;
  showDevices();
}

// hangUp tells the partner, so that they need not wait for the network to notice.
async function hangUp() {
  const leaving = signaling;
  if (partner) leaving.send(partner, { bye: true });
  leave();
  inform('goodbye');
  await leaving.close();
}

// --- the start

speak(language);
for (const button of document.querySelectorAll('[data-lang]')) {
  button.addEventListener('click', () => speak(button.dataset.lang));
}
$('entrance').hidden = false;
$('join').addEventListener('submit', enter);
$('code').addEventListener('input', () => complain(''));
$('microphone').addEventListener('click', () => toggle(stream?.getAudioTracks()));
$('camera').addEventListener('click', () => toggle(stream?.getVideoTracks()));
$('leave').addEventListener('click', hangUp);

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
