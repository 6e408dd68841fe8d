// Watches whether anything arrives over a media connection. Browsers call a connection
// disconnected only after seconds of silence; a network that changed shows sooner here.

const interval = 500;

// How long a silence may be: where media arrived just before, and where there is none,
// so that only checks of the path are answered, every few seconds.
const mediaSilence = 1500;
const checkSilence = 6000;

const patience = 4000; // between two calls of stalled

export class Path {
  #connection; #timer;
  #arrived = ''; // what had arrived when last looked
  #since = 0; // when that changed
  #flow = 0; // how many looks in a row saw something arrive
  #told = 0; // when stalled was called last; 0: it flows

  // stalled is called when nothing arrives, again and again; flowing when it does again.
  constructor(connection, stalled, flowing) {
    this.#connection = connection;
    this.#timer = setInterval(() => this.#look(stalled, flowing), interval);
  }

  get stalled() { return this.#told > 0; }

  close() { clearInterval(this.#timer); }

  async #look(stalled, flowing) {
    const arrived = await this.#measure();
    if (!arrived || this.#connection.connectionState === 'closed') return;
    const now = performance.now();
    const silence = now - this.#since;
    if (arrived !== this.#arrived) {
      this.#arrived = arrived;
      this.#since = now;
      this.#flow = silence < 2.5 * interval ? this.#flow + 1 : 0;
      if (this.#told) flowing();
      this.#told = 0;
    } else if (silence > (this.#flow > 3 ? mediaSilence : checkSilence) && now - this.#told > patience) {
      this.#told = now;
      stalled();
    }
  }

  // measure returns what has arrived over the selected pair, or nothing without one.
  async #measure() {
    const stats = await this.#connection.getStats();
    for (const report of stats.values()) {
      const pair = report.type === 'transport' && stats.get(report.selectedCandidatePairId);
      if (pair) return `${pair.id} ${pair.bytesReceived} ${pair.responsesReceived}`;
    }
    return '';
  }
}
