// A session's frames: numbered, kept until the server has them, and taken once. It
// knows nothing of the connection that carries them, nor of what they mean.

import { toBase64 } from './seal.js';

// After so many numbered frames a client acknowledges at the latest.
export const ackEvery = 16;

// After these errors there is nothing to resume: the next connection joins.
const forgotten = ['unknown-session', 'too-slow', 'maintenance'];

// These say that the code is right, for now or later.
const right = ['maintenance', 'too-often'];

export class Session {
  received = 0; // the number of the last frame that came
  known = false; // the server has said that the code is right
  #join; #heard;
  #token = ''; // of the session on the server; empty: join
  #n = 0; // the number of the last frame in #pending
  #pending = []; // what the server has not acknowledged

  // heard gets every frame that did not come before.
  constructor(joinToken, epoch, heard) {
    this.#join = { join: { token: toBase64(joinToken), epoch } };
    this.#heard = heard;
  }

  get seated() { return this.#token !== ''; }

  // opening is the first frame of a connection. A join begins a new session, in which
  // frames are numbered again.
  opening() {
    if (this.seated) return { resume: { session: this.#token, received: this.received } };
    this.received = this.#n = 0;
    for (const frame of this.#pending) frame.n = ++this.#n;
    return this.#join;
  }

  // queue numbers a frame and keeps it until the server has it.
  queue(frame) { this.#pending.push({ n: ++this.#n, ...frame }); }

  // pending returns the frames that the server may not have, with numbers above n.
  pending(n = 0) { return this.#pending.filter((frame) => frame.n > n); }

  // take handles a frame of the server. It throws when the connection is of no use.
  take(frame) {
    if (frame.welcome || right.includes(frame.error?.code)) this.known = true;
    if (frame.n) {
      if (frame.n <= this.received) return;
      if (frame.n !== this.received + 1) throw new Error('the server left out a frame');
      this.received = frame.n;
    }
    if (frame.welcome) {
      this.#token = frame.welcome.session;
    } else if (frame.resumed) this.#pending = this.pending(frame.resumed.received);
    else if ('ack' in frame) this.#pending = this.pending(frame.ack);
    else if (forgotten.includes(frame.error?.code)) this.#token = '';
    this.#heard(frame);
  }
}
