// The session with the appliance: it takes the seat, comes back when the socket is
// lost, and seals and opens what goes to the partner and comes from there.

import * as seal from './seal.js';

const subprotocol = 'praxisrelay.v1';

// Errors after which coming back by itself would do harm or no good.
const final = ['unknown-code', 'too-early', 'over', 'limited', 'replaced', 'revoked', 'bad-request'];

// Signaling calls its handlers:
//   welcome(welcome)         the seat is taken, for the first time or again
//   joined(present), left(present)   another seat's session
//   message(present, object)         from another seat, opened
//   lost()                   the socket is gone; another try follows
//   ended(error)             it is over; error is the protocol's
export class Signaling {
  #keys; #handlers; #socket; #welcome; #roomKey; #timer;
  #epoch = seal.newEpoch();
  #sent = new Map(); // receiver's epoch -> next number
  #got = new Map(); // sender's epoch -> next number
  #work = Promise.resolve(); // frames are opened, and sealed, in their order
  #closed = false;
  #tries = 0;

  constructor(keys, handlers) {
    this.#keys = keys;
    this.#handlers = handlers;
    this.#connect();
  }

  get seat() { return this.#welcome.seat; }

  // send seals an object for another session.
  send(to, object) {
    const seq = this.#sent.get(to.epoch) ?? 0;
    this.#sent.set(to.epoch, seq + 1);
    this.#work = this.#work.then(async () => {
      const { appointment, seat } = this.#welcome;
      const place = { appointment, from: seat, to: to.seat, fromEpoch: this.#epoch, toEpoch: to.epoch, seq };
      const sealed = await seal.sealMessage(this.#roomKey, place, new TextEncoder().encode(JSON.stringify(object)));
      if (this.#socket.readyState !== WebSocket.OPEN) return;
      this.#socket.send(JSON.stringify({ send: { to: to.seat, epoch: to.epoch, seq, sealed: seal.toBase64(sealed) } }));
    });
    return this.#work;
  }

  // close leaves the seat, after what is being sent.
  async close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#work;
    this.#socket.close(1000);
  }

  #connect() {
    const socket = new WebSocket(`wss://${location.host}/v1/signal`, subprotocol);
    this.#socket = socket;
    socket.addEventListener('open', () => {
      socket.send(JSON.stringify({ join: { token: seal.toBase64(this.#keys.joinToken), epoch: this.#epoch } }));
    });
    socket.addEventListener('message', (event) => {
      this.#work = this.#work.then(() => this.#receive(JSON.parse(event.data)))
        .catch((error) => console.warn('a frame was dropped:', error.message));
    });
    socket.addEventListener('close', () => { this.#work = this.#work.then(() => this.#lost()); });
  }

  #lost() {
    if (this.#closed) return;
    this.#handlers.lost();
    const pause = Math.min(15000, 500 * 2 ** this.#tries++) * (0.5 + Math.random());
    this.#timer = setTimeout(() => this.#connect(), pause);
  }

  async #receive(frame) {
    if (this.#closed) return;
    if (frame.welcome) {
      this.#tries = 0;
      const { appointment, seat, room_key: wrapped } = frame.welcome;
      this.#roomKey = await seal.unwrap(this.#keys.sealKey, appointment, seat, seal.fromBase64(wrapped));
      this.#welcome = frame.welcome;
      this.#handlers.welcome(frame.welcome);
    } else if (frame.joined) {
      this.#handlers.joined(frame.joined);
    } else if (frame.left) {
      this.#handlers.left(frame.left);
    } else if (frame.message) {
      const object = await this.#open(frame.message);
      this.#handlers.message({ seat: frame.message.from, epoch: frame.message.epoch }, object);
    } else if (frame.error && final.includes(frame.error.code)) {
      this.#closed = true;
      this.#socket.close(1000);
      this.#handlers.ended(frame.error);
    }
  }

  // open is where the server is found out if it altered, moved or repeated a message.
  async #open({ from, epoch, seq, sealed }) {
    if (seq < (this.#got.get(epoch) ?? 0)) throw new Error('a message was repeated');
    const { appointment, seat } = this.#welcome;
    const place = { appointment, from, to: seat, fromEpoch: epoch, toEpoch: this.#epoch, seq };
    const plain = await seal.openMessage(this.#roomKey, place, seal.fromBase64(sealed));
    this.#got.set(epoch, seq + 1);
    return JSON.parse(new TextDecoder().decode(plain));
  }
}
