// The texts on the page, in the chosen language.

import { $ } from './screens.js';
import { preferred, text } from './text.js';

let language = preferred();
const shown = {}; // id -> [key, argument], to show the texts in another language

// say returns a text.
export const say = (key, argument) => text(language, key, argument);

// show puts a text into an element, and translates it when the language changes. Without a key the
// element is hidden.
export function show(id, key, argument) {
  shown[id] = [key, argument];
  const parts = key ? (say(key, argument) ?? '').split(/[\u2068\u2069]/) : [];
  $(id).replaceChildren(...parts.map((part, i) => (i % 2 ? isolated(part) : part)));
  $(id).hidden = !key;
}

// isolated wraps a name, whose direction must not affect the text around it.
function isolated(name) {
  const element = document.createElement('bdi');
  element.textContent = name;
  return element;
}

// tidy cleans the name that the partner sent: one line of visible characters, none of which affects
// the text around it.
export function tidy(name) {
  const visible = String(name).replace(/\s+/g, ' ').replace(/[\p{C}\p{Default_Ignorable_Code_Point}]/gu, '').trim();
  return [...visible].slice(0, 60).join('');
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

// startWords shows the first texts, and changes them when the person chooses a language.
export function startWords() {
  speak(language);
  for (const button of document.querySelectorAll('[data-lang]')) {
    button.addEventListener('click', () => speak(button.dataset.lang));
  }
}
