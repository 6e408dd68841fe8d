// Watches whether anything arrives over a media connection: the media that the partner claims to
// send or, if there is none, answers to checks of the path. Where media should come, such answers
// are no sign of life. Browsers call a connection disconnected only after seconds of silence; here a
// change of network shows sooner. Times are in milliseconds.

const interval = 250;

// How long silence may last, after a steady flow and otherwise. Checks of the path are answered
// every few seconds, and one receiver may well be silent for a while.
const steadySilence = 1500;
const otherSilence = 6000;

// How many looks in a row must see something arrive for the flow to be steady. A gap only halves the
// count, so that after a single one fewer looks are enough.
const steady = 6;

// The time between two calls of stalled, first and later. A browser takes two to four seconds to
// notice another network. It then finds a path over it by what is already under way, or else at the
// second attempt.
const firstPatience = 3000;
const patience = 4000;

export class Path {
  #connection; #handlers; #timer;
  #expected = {}; // kind -> whether the partner sends it
  #pair = ''; // the selected candidate pair
  #carried = 0; // how much had come over it at the last look
  #answered = false; // something came over it since hold
  #receivers = new Map(); // kind -> { count, since }: what had arrived at the last look, since when
  #since = 0; // when something last arrived
  #flow = 0; // how steadily something arrives, from 0 to twice steady
  #quiet = false; // the silence was long enough to call quiet
  #stalled = false;
  #patience = firstPatience;
  #next = 0; // when stalled may be called, at the earliest

  // Handlers: quiet() halfway through the silence that is too long; stalled(answered) when it is too
  // long, repeatedly, with whether the path answered in between; flowing() when something arrives
  // again; deaf() at each arrival while one receiver has got nothing for long.
  constructor(connection, handlers) {
    this.#connection = connection;
    this.#handlers = handlers;
    this.#timer = setInterval(() => this.#look(), interval);
  }

  get stalled() { return this.#stalled; }

  // expect notes which kinds of media the partner sends.
  expect(sends) {
    this.#expected = sends;
    for (const kind of this.#receivers.keys()) {
      if (!sends[kind]) this.#receivers.delete(kind);
    }
  }

  // hold allows time for another path, which is being looked for.
  hold() {
    this.#next = performance.now() + this.#patience;
    this.#answered = false;
  }

  close() { clearInterval(this.#timer); }

  async #look() {
    const { pair, carried, received } = await this.#measure();
    // Firefox has no pair while it looks for another path, and may call that connected.
    if ((!pair && !this.#since) || this.#connection.connectionState === 'closed') return;
    const now = performance.now();
    const answered = pair === this.#pair && carried !== this.#carried; // a new pair's count says nothing yet
    this.#answered ||= answered;
    this.#pair = pair;
    this.#carried = carried;
    const more = this.#note(received, now) || (answered && !received.size);
    if (more || !this.#since) this.#arrived(now);
    else this.#silent(now);
  }

  #arrived(now) {
    this.#flow = now - this.#since < 4 * interval ? Math.min(this.#flow + 1, 2 * steady) : this.#flow / 2;
    this.#since = now;
    this.#patience = firstPatience;
    this.#next = 0;
    const stopped = this.#stalled;
    this.#quiet = this.#stalled = false;
    if (stopped) this.#handlers.flowing();
    if ([...this.#receivers.values()].some(({ since }) => now - since > otherSilence)) this.#handlers.deaf();
  }

  #silent(now) {
    const silence = now - this.#since;
    const maxSilence = this.#flow > steady ? steadySilence : otherSilence;
    if (silence > maxSilence / 2 && !this.#quiet) {
      this.#quiet = true;
      this.#handlers.quiet();
    }
    if (silence > maxSilence) this.#stalled = true;
    if (this.#stalled && now > this.#next) {
      const answered = this.#answered;
      this.hold();
      this.#handlers.stalled(answered);
      this.#patience = patience;
    }
  }

  // note records what the receivers have got, and returns whether that is more than before.
  #note(received, now) {
    let more = false;
    for (const [kind, count] of received) {
      const last = this.#receivers.get(kind);
      if (last?.count === count) continue;
      more ||= Boolean(last);
      this.#receivers.set(kind, { count, since: now });
    }
    return more;
  }

  // measure returns the selected pair, how much has come over it, and what has arrived of each kind
  // that the partner sends.
  async #measure() {
    const stats = await this.#connection.getStats();
    const received = new Map(Object.keys(this.#expected).filter((kind) => this.#expected[kind]).map((kind) => [kind, 0]));
    let pair;
    for (const report of stats.values()) {
      if (report.type === 'transport') pair ??= stats.get(report.selectedCandidatePairId);
      if (report.type !== 'inbound-rtp' || !received.has(report.kind)) continue;
      // Packets of video count only once decoded; but a hidden page need not decode them.
      const got = report.kind === 'video' && !document.hidden ? report.framesDecoded : report.packetsReceived;
      received.set(report.kind, received.get(report.kind) + (got ?? 0));
    }
    return { pair: pair?.id, carried: pair ? pair.bytesReceived + pair.responsesReceived : 0, received };
  }
}
