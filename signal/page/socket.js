// Carries a session's frames over one WebSocket until it is lost.

import { ackEvery } from './session.js';

const subprotocol = 'praxisrelay.v1';
const openTime = 5000; // until the socket is open
const answerTime = 10000; // until the first frame or a heartbeat is answered

// A heartbeat is due every 20 to 25 seconds. The protocol says that a socket is dead after 60
// seconds of silence; an unanswered heartbeat shows it sooner.
const heartbeat = () => 20000 + 5000 * Math.random();

export class Socket {
  #session; #take; #lost; #socket; #deadline; #beat;
  #opened = false; // the server has answered
  #due = Infinity; // when the expected answer has to be there
  #sent = 0; // the number of the last frame that this socket carried
  #acknowledged = 0; // the number of the last frame that the server knows to have arrived

  // take is called with every frame; lost(opened) at most once, and not after close.
  constructor(session, take, lost) {
    this.#session = session;
    this.#take = take;
    this.#lost = lost;
    const socket = new WebSocket(`wss://${location.host}/v1/signal`, subprotocol);
    this.#socket = socket;
    this.#expect(openTime);
    socket.addEventListener('open', () => {
      this.#say(session.opening());
      this.#expect(answerTime);
    });
    socket.addEventListener('message', ({ data }) => this.#receive(data));
    socket.addEventListener('close', () => this.#lose());
  }

  // wake sends the session's new frames.
  wake() {
    if (!this.#opened) return;
    for (const frame of this.#session.pending(this.#sent)) {
      this.#say(frame);
      this.#sent = frame.n;
    }
  }

  // check finds out within some milliseconds whether the socket still carries.
  check(within) {
    if (this.#opened) this.#acknowledge(within);
  }

  // leave sends the remaining frames and gives the seat up.
  leave() {
    this.wake();
    this.#say({ leave: {} });
  }

  close() {
    this.#lost = this.#take = () => {};
    this.#lose();
  }

  #receive(data) {
    try {
      const frame = JSON.parse(data);
      const first = !this.#opened;
      if (first || 'ack' in frame) this.#expect();
      this.#opened = true;
      this.#take(frame);
      if (first && !frame.error) {
        this.#acknowledged = this.#session.received;
        this.#beatLater();
        this.wake();
      }
      if (this.#session.received - this.#acknowledged >= ackEvery) this.#acknowledge(answerTime);
    } catch (error) {
      console.warn('socket:', error.message);
      this.#lose();
    }
  }

  #beatLater() {
    clearTimeout(this.#beat);
    this.#beat = setTimeout(() => {
      this.#acknowledge(answerTime);
      this.#beatLater();
    }, heartbeat());
  }

  #acknowledge(within) {
    this.#acknowledged = this.#session.received;
    this.#say({ ack: this.#acknowledged });
    if (performance.now() + within < this.#due) this.#expect(within); // a sooner deadline stays
  }

  // expect sets the deadline of the next answer; without a time, none is expected.
  #expect(within = Infinity) {
    clearTimeout(this.#deadline);
    this.#due = performance.now() + within;
    if (within < Infinity) this.#deadline = setTimeout(() => this.#lose(), within);
  }

  #say(frame) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  #lose() {
    clearTimeout(this.#deadline);
    clearTimeout(this.#beat);
    this.#socket.close();
    const lost = this.#lost;
    this.#lost = this.#take = () => {};
    lost(this.#opened);
  }
}
