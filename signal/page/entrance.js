// The entrance: where a person types the code and their name.

import { codeIn } from './address.js';
import { format } from './code.js';
import { mirror, openMedia } from './media.js';
import { $ } from './screens.js';
import { show } from './words.js';

// How long the browser's question about camera and microphone may stay open before the page offers
// to do without them, in milliseconds.
const mediaPatience = 5000;

// complain shows what is wrong.
export function complain(key, argument) {
  show('message', key, argument);
  $('message').classList.remove('calm');
  $('code').toggleAttribute('aria-invalid', key?.startsWith('codeErrors') ?? false);
}

// inform shows what is going on.
export function inform(key, argument) {
  complain(key, argument);
  $('message').classList.add('calm');
}

export const clearMessage = () => complain('');

const button = () => $('join').querySelector('button');

export const isBusy = () => button().disabled;

export function setBusy(on) { button().disabled = on; }

export function showCode(code) { $('code').value = format(code); }

// paste picks the code out of the pasted text, whose lines the field would join.
export function paste(event) {
  const code = codeIn(event.clipboardData.getData('text'));
  if (!code) return;
  event.preventDefault();
  showCode(code);
  clearMessage();
}

// askForMedia opens camera and microphone. The browser's question may stay unanswered.
export async function askForMedia() {
  inform('media');
  const enough = new AbortController();
  $('without').onclick = () => enough.abort();
  const timer = setTimeout(() => { $('without').hidden = false; }, mediaPatience);
  const stream = await openMedia(enough.signal);
  clearTimeout(timer);
  $('without').hidden = true;
  mirror(stream);
  return stream;
}
