// Watches whether anything arrives over a media connection: the media that the partner
// says it sends, and where there is none, answers to the checks of the path. Those alone
// are no sign of life where media should come. Browsers call a connection disconnected
// only after seconds of silence; a network that changed shows sooner here.

const interval = 250;

// How long a silence may be: where something arrived steadily before, and else. Checks of
// the path are answered every few seconds, and one receiver may well be silent for a while.
const steadySilence = 1500;
const otherSilence = 6000;

// How many looks in a row have to see something arrive for a steady flow. A gap halves
// what counts of them, so that one alone does not end it: after it less will do.
const steady = 6;

// Between two calls of stalled. A browser takes two to four seconds to notice another
// network, and then finds a way over it in what goes on already, or else in the second try.
const firstPatience = 3000;
const patience = 4000;

export class Path {
  #connection; #timer;
  #expected = {}; // kind -> whether the partner sends it
  #pair = ''; // that is selected
  #carried = 0; // what had come over it when last looked
  #answered = false; // something came over it since hold
  #receivers = new Map(); // kind -> what it had got when last looked, and since when
  #since = 0; // when something arrived
  #flow = 0; // how steadily something arrives, from 0 to twice steady
  #quiet = false; // for so long that quiet was called
  #stalled = false;
  #patience = firstPatience;
  #next = 0; // when stalled may be called, at the earliest

  // quiet is called at half the silence that makes it stalled, which is called then, again
  // and again, and told whether the path answered meanwhile; flowing when something arrives
  // again; deaf, with everything that arrives, while one receiver has got nothing for long.
  constructor(connection, handlers) {
    this.#connection = connection;
    this.#timer = setInterval(() => this.#look(handlers), interval);
  }

  get stalled() { return this.#stalled; }

  // expect takes what the partner sends: an object of kinds.
  expect(sends) {
    this.#expected = sends;
    for (const kind of this.#receivers.keys()) {
      if (!sends[kind]) this.#receivers.delete(kind);
    }
  }

  // hold gives another way, which is looked for, time to be found.
  hold() {
    this.#next = performance.now() + this.#patience;
    this.#answered = false;
  }

  close() { clearInterval(this.#timer); }

  async #look({ quiet, stalled, flowing, deaf }) {
    const [pair, carried, received] = await this.#measure();
    // Firefox has no pair while it looks for another way, and may call that connected.
    if ((!pair && !this.#since) || this.#connection.connectionState === 'closed') return;
    const now = performance.now();
    const answered = pair === this.#pair && carried !== this.#carried; // over another pair nothing need have come yet
    this.#answered ||= answered;
    this.#pair = pair;
    this.#carried = carried;
    const more = this.#take(received, now) || (answered && !received.size);
    const silence = now - this.#since;
    if (more || !this.#since) {
      this.#since = now;
      this.#flow = silence < 4 * interval ? Math.min(this.#flow + 1, 2 * steady) : this.#flow / 2;
      this.#patience = firstPatience;
      this.#next = 0;
      const stopped = this.#stalled;
      this.#quiet = this.#stalled = false;
      if (stopped) flowing();
      if ([...this.#receivers.values()].some(({ since }) => now - since > otherSilence)) deaf();
      return;
    }
    const longest = this.#flow > steady ? steadySilence : otherSilence;
    if (silence > longest / 2 && !this.#quiet) {
      this.#quiet = true;
      quiet();
    }
    if (silence > longest) this.#stalled = true;
    if (this.#stalled && now > this.#next) {
      const answers = this.#answered;
      this.hold();
      stalled(answers);
      this.#patience = patience;
    }
  }

  // take notes what the receivers have got, and returns whether that is more than before.
  #take(received, now) {
    let more = false;
    for (const [kind, count] of received) {
      const last = this.#receivers.get(kind);
      if (last?.count === count) continue;
      more ||= Boolean(last);
      this.#receivers.set(kind, { count, since: now });
    }
    return more;
  }

  // measure returns the selected pair, what has come over it, and what each receiver that
  // should get something has got.
  async #measure() {
    const stats = await this.#connection.getStats();
    const received = new Map(Object.keys(this.#expected).filter((kind) => this.#expected[kind]).map((kind) => [kind, 0]));
    let pair;
    for (const report of stats.values()) {
      if (report.type === 'transport') pair ??= stats.get(report.selectedCandidatePairId);
      if (report.type !== 'inbound-rtp' || !received.has(report.kind)) continue;
      // Packets that make no picture are none; but a hidden page need not decode them.
      const got = report.kind === 'video' && !document.hidden ? report.framesDecoded : report.packetsReceived;
      received.set(report.kind, received.get(report.kind) + (got ?? 0));
    }
    return [pair?.id, pair ? pair.bytesReceived + pair.responsesReceived : 0, received];
  }
}
