// A session's frames: numbered, kept until the server has them, and handled once. A session knows
// neither the connection that carries its frames nor what they mean.

import { toBase64 } from './seal.js';

// After how many numbered frames a client acknowledges at the latest.
export const ackEvery = 16;

// After these errors there is nothing to resume, so the next connection joins.
const forgotten = ['unknown-session', 'too-slow', 'maintenance'];

// These errors mean that the code is right, now or later.
const right = ['maintenance', 'too-often'];

export class Session {
  received = 0; // the number of the last frame from the server
  known = false; // the server has said that the code is right
  #join; #heard;
  #token = ''; // of the session on the server; empty if there is none to resume
  #n = 0; // the number of the last frame in #pending
  #pending = []; // frames that the server has not acknowledged

  // heard is called with every new frame.
  constructor(joinToken, epoch, heard) {
    this.#join = { join: { token: toBase64(joinToken), epoch } };
    this.#heard = heard;
  }

  get seated() { return this.#token !== ''; }

  // opening returns the first frame of a connection. A join begins a new session, for which the
  // frames are numbered again.
  opening() {
    if (this.seated) return { resume: { session: this.#token, received: this.received } };
    this.received = this.#n = 0;
    for (const frame of this.#pending) frame.n = ++this.#n;
    return this.#join;
  }

  // queue numbers a frame and keeps it until the server has it.
  queue(frame) { this.#pending.push({ n: ++this.#n, ...frame }); }

  // pending returns the frames that the server may not have and whose numbers are above n.
  pending(n = 0) { return this.#pending.filter((frame) => frame.n > n); }

  // take handles a frame of the server. It throws if the connection must be given up.
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
