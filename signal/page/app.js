// The page: from the code that a person types, to the consultation, to its end.

import { takeCode } from './address.js';
import { derive, format, parse } from './code.js';
import { Consultation } from './consultation.js';
import { askForMedia, clearMessage, complain, inform, isBusy, paste, setBusy, showCode } from './entrance.js';
import { $, isShown, turnTo } from './screens.js';
import { fromBase64, newEpoch } from './seal.js';
import { ask } from './signaling.js';
import { claim, forget, keep, kept } from './visit.js';
import { say, show, startWords } from './words.js';

// After these errors the code is useless.
const final = ['unknown-code', 'over', 'revoked'];

// How often a code may be stretched: with fewer rounds a server could guess codes, and more would
// keep the device busy for longer than anybody waits.
const minRounds = 600000;
const maxRounds = 10000000;

const options = new URLSearchParams(location.search);

let consultation; // undefined unless the code has been accepted

// --- joining

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

// start takes the seat of the remembered code, for the first time or after hanging up.
function start() {
  keep({ name: $('name').value.trim(), at: undefined, window: newEpoch() });
  claim();
  join();
}

// join asks the server about the code before the browser asks for the camera. The partner hears
// nothing until both have answered.
async function join() {
  turnTo('entrance');
  showCode(kept().code);
  setBusy(true);
  inform('stretching');
  try {
    const { keys, maxMessage } = await stretch(kept().code);
    const { welcome, error } = await ask(keys);
    if (welcome?.seat === 'test') {
      forget();
      setBusy(false);
      inform('testCode', `${location.origin}/`);
    } else if (error && error.code !== 'maintenance') {
      ended(error);
    } else {
      const stream = await askForMedia();
      clearMessage();
      consultation = new Consultation(keys, maxMessage, stream, options, ended);
    }
  } catch (error) {
    console.warn(error.message);
    setBusy(false);
    complain(error instanceof TypeError ? 'unreachable' : 'fault'); // fetch throws TypeErrors
  }
}

// stretch derives a code's keys as the server asks for it.
async function stretch(code) {
  const response = await fetch('/v1/info');
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  const { salt, rounds, max_message: maxMessage } = await response.json();
  if (!(rounds >= minRounds)) throw new Error('the server would have the code stretched too little');
  if (!(rounds <= maxRounds)) throw new Error('the server would have the code stretched for too long');
  return { keys: await derive(code, fromBase64(salt), rounds), maxMessage };
}

// --- ending

// goBack ends the consultation, if there is one, and goes back to the entrance.
function goBack() {
  consultation?.close();
  consultation = undefined;
  turnTo('entrance');
  setBusy(false);
}

// ended is called when the server refuses the code or ends the session.
function ended(error) {
  if (final.includes(error.code)) forget();
  else keep({ at: undefined });
  if (error.code === 'over' && consultation?.connected) return; // a call may run over
  const wasInside = isShown('consultation');
  goBack();
  complain(say(`errors.${error.code}`, error) ? `errors.${error.code}` : 'fault', error);
  if (wasInside) $('message').focus();
}

function hangUp() {
  consultation.hangUp();
  goBack();
  keep({ at: 'out', admission: undefined, grant: undefined });
  farewell();
}

// farewell offers to join again, for as long as the code is remembered.
function farewell() {
  turnTo('end');
  $('again').hidden = !kept().code;
  show('goodbye', kept().code ? 'goodbye' : 'goodbyeOver', kept().closes);
  $('goodbye').focus();
}

function done() {
  forget();
  $('join').reset();
  turnTo('entrance');
  inform('forgotten');
  $('message').focus();
}

// --- opening the page

// follow opens the entrance with the code of a link.
function follow() {
  const taken = takeCode();
  if (!taken || consultation || isBusy()) return; // one consultation at a time
  const { code, typed } = taken;
  if (code && code !== kept().code) $('name').value = ''; // it may be another person's
  if (code) keep({ code, at: undefined });
  $('code').value = code ? format(code) : typed;
  turnTo('entrance');
  clearMessage();
}

// resume continues where the window was before it was reloaded.
async function resume() {
  const { code, name, at } = kept();
  turnTo('entrance');
  if (name) $('name').value = name;
  if (code) showCode(code);
  follow();
  if (kept().at !== at) return; // a link was followed
  if (at === 'out') farewell();
  else if (at === 'in' && !(await claim())) {
    keep({ at: undefined });
    inform('elsewhere');
  } else if (at === 'in') join();
}

startWords();
$('join').addEventListener('submit', enter);
$('code').addEventListener('input', clearMessage);
$('code').addEventListener('paste', paste);
$('microphone').addEventListener('click', () => consultation.toggle('audio'));
$('camera').addEventListener('click', () => consultation.toggle('video'));
$('admit').addEventListener('click', () => consultation.admit());
$('leave').addEventListener('click', hangUp);
$('again').addEventListener('click', start);
$('done').addEventListener('click', done);
addEventListener('beforeunload', (event) => { if (consultation?.hasCall) event.preventDefault(); });
addEventListener('pagehide', () => consultation?.leave());
addEventListener('pageshow', ({ persisted }) => { if (persisted) location.reload(); });
addEventListener('hashchange', follow);
if (!globalThis.RTCPeerConnection || !globalThis.crypto?.subtle || !navigator.mediaDevices) {
  turnTo('entrance');
  follow();
  complain('unsupported');
  setBusy(true);
} else resume();
