// Shows the doctor who is waiting to be let in.

import { $ } from './screens.js';
import { show } from './words.js';

// How long clicks are ignored after the person shown has changed, in milliseconds: such a click
// was meant for the person before.
const glance = 1000;

export class Knock {
  #shown = { last: -Infinity }; // { epoch, name } of the last person shown, and when that was
  #timer; // for accepting clicks again

  // show takes the session that is waiting, or nothing.
  show(waiting) {
    const now = performance.now();
    if (!$('admission').hidden) this.#shown.last = now;
    if (waiting) {
      const { epoch, name } = waiting;
      const other = epoch !== this.#shown.epoch || (this.#shown.name && name !== this.#shown.name);
      if (other && now - this.#shown.last < glance) this.#ignoreClicks();
      this.#shown = { epoch, name, last: now };
    }
    $('admission').hidden = !waiting;
    show('knock', waiting ? 'knock' : '', waiting?.name);
  }

  #ignoreClicks() {
    $('admit').disabled = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => { $('admit').disabled = false; }, glance);
  }
}
