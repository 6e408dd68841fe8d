// Watches whether anything arrives over a media connection. Browsers call a connection
// disconnected only after seconds of silence; a network that changed shows sooner here.

const interval = 250;

// How long a silence may be: where media arrived steadily before, and where there is none,
// so that only checks of the path are answered, every few seconds.
const mediaSilence = 1500;
const checkSilence = 6000;

// How many looks in a row have to see something arrive for a steady flow. A gap halves
// what counts of them, so that one alone does not end it: after it less will do.
const steady = 6;

// Between two calls of stalled. A browser takes two to four seconds to notice another
// network, and then finds a way over it in what goes on already, or else in the second try.
const firstPatience = 3000;
const patience = 4000;

export class Path {
  #connection; #timer;
  #pair = ''; // that is selected
  #arrived = 0; // what had arrived over it when last looked
  #since = 0; // when something did
  #flow = 0; // how steadily something arrives, from 0 to twice steady
  #quiet = false; // for so long that quiet was called
  #stalled = false;
  #patience = firstPatience;
  #next = 0; // when stalled may be called, at the earliest

  // quiet is called at half the silence that makes it stalled, which is called then,
  // again and again; flowing when something arrives again.
  constructor(connection, { quiet, stalled, flowing }) {
    this.#connection = connection;
    this.#timer = setInterval(() => this.#look(quiet, stalled, flowing), interval);
  }

  get stalled() { return this.#stalled; }

  // hold gives another way, which is looked for, time to be found.
  hold() { this.#next = performance.now() + this.#patience; }

  close() { clearInterval(this.#timer); }

  async #look(quiet, stalled, flowing) {
    const [pair, arrived] = await this.#measure();
    if (!pair || this.#connection.connectionState === 'closed') return;
    const now = performance.now();
    const silence = now - this.#since;
    const same = pair === this.#pair; // over another pair nothing need have arrived yet
    const more = same && arrived !== this.#arrived;
    this.#pair = pair;
    this.#arrived = arrived;
    const longest = this.#flow > steady ? mediaSilence : checkSilence;
    if (more || !this.#since) {
      this.#since = now;
      this.#flow = silence < 4 * interval ? Math.min(this.#flow + 1, 2 * steady) : this.#flow / 2;
      this.#patience = firstPatience;
      this.#next = 0;
      if (this.#stalled) flowing();
      this.#quiet = this.#stalled = false;
      return;
    }
    if (silence > longest / 2 && !this.#quiet) {
      this.#quiet = true;
      quiet();
    }
    if (silence > longest) this.#stalled = true;
    if (this.#stalled && now > this.#next) {
      this.hold();
      stalled();
      this.#patience = patience;
    }
  }

  // measure returns the selected pair and what has arrived over it, or nothing without one.
  async #measure() {
    const stats = await this.#connection.getStats();
    for (const report of stats.values()) {
      const pair = report.type === 'transport' && stats.get(report.selectedCandidatePairId);
      if (pair) return [pair.id, pair.bytesReceived + pair.responsesReceived];
    }
    return [];
  }
}
