// The page's hold on its seat. It seals messages to the partner and opens those that come, in
// order, whatever happens to the connection.

import { Connection } from './connection.js';
import { fitting, post } from './polling.js';
import * as seal from './seal.js';
import { Session } from './session.js';

// ask asks the server what a code opens, without taking the seat. It returns { welcome } or
// { error }.
export async function ask({ joinToken }) {
  const join = { token: seal.toBase64(joinToken), epoch: seal.newEpoch(), check: true };
  const { frames } = await (await post([{ join }])).json();
  const answer = Object.assign({}, ...frames);
  if (answer.welcome) {
    const resume = { session: answer.welcome.session, received: answer.n };
    post([{ resume }, { leave: {} }]).catch(() => {}); // if it fails, the server notices by itself
  }
  return answer;
}

// Signaling calls its handlers:
//   welcome(welcome)         the seat is taken, for the first time or again
//   ice(ice)                 the seat is admitted, or has a new credential
//   joined(present), left(present)   another seat's session
//   message(present, object)         from another seat, opened
//   explanation(explanation) why there is no call
//   tampered()               a message was altered on its way
//   back()                   the server is reachable, for the first time or again
//   lost()                   the server is unreachable; another attempt follows
//   maintenance(error)       no consultation begins for now; another attempt follows
//   ended(error)             the session is over; error is the protocol's
export class Signaling {
  #keys; #maxMessage; #handlers; #connection; #session; #welcome; #roomKey; #receiver;
  #epoch = seal.newEpoch();
  #sent = new Map(); // receiver's epoch -> next number
  #work = Promise.resolve(); // frames are opened and sealed in order
  #deaf = false; // frames that come are ignored
  #closed = false;

  // A frame has at most maxMessage bytes. With poll, only long polling is used.
  constructor(keys, maxMessage, handlers, poll) {
    this.#keys = keys;
    this.#maxMessage = maxMessage;
    this.#handlers = handlers;
    this.#session = new Session(keys.joinToken, this.#epoch, (frame) => this.#enqueue(() => this.#receive(frame)));
    this.#connection = new Connection(this.#session, poll, {
      back: () => handlers.back(),
      lost: () => handlers.lost(),
      maintenance: (error) => handlers.maintenance(error),
      ended: (error) => {
        this.#closed = true;
        handlers.ended(error);
      },
    });
  }

  // seat is undefined until the seat is taken.
  get seat() { return this.#welcome?.seat; }

  // send seals an object for another session. One that is too long is dropped: the server would
  // end the session for it, and a partner must not be able to provoke that.
  send(to, object) {
    this.#enqueue(async () => {
      const { appointment, seat } = this.#welcome;
      const seq = this.#sent.get(to.epoch) ?? 0;
      const place = { appointment, from: seat, to: to.seat, fromEpoch: this.#epoch, toEpoch: to.epoch, seq };
      const sealed = await seal.sealMessage(this.#roomKey, place, new TextEncoder().encode(JSON.stringify(object)));
      const frame = { send: { to: to.seat, epoch: to.epoch, seq, sealed: seal.toBase64(sealed) } };
      const size = JSON.stringify({ n: Number.MAX_SAFE_INTEGER, ...frame }).length; // it is ASCII
      if (size > this.#maxMessage) throw new Error(`it would have ${size} bytes, more than ${this.#maxMessage}`);
      this.#sent.set(to.epoch, seq + 1);
      this.#queue(frame);
    });
  }

  // admit lets a waiting session in.
  admit({ seat, epoch }) { this.#queue({ admit: { seat, epoch } }); }

  // renew asks for a new credential.
  renew() { this.#queue({ ice: {} }); }

  // explain asks why there is no call; only the doctor may.
  explain() { this.#queue({ explain: {} }); }

  // check finds out within some milliseconds whether the server is still reachable.
  check(within) { this.#connection.check(within); }

  // hangUp sends a last object to a session, if there is one, and leaves.
  async hangUp(to, object) {
    if (to) this.send(to, object);
    this.#deaf = true;
    await this.#work;
    this.leave();
  }

  // leave gives the seat up, by a request that outlives the page and also over the socket, since
  // browsers may drop the request all the same.
  leave() {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.leave();
    if (!this.#session.seated) return;
    const frames = [this.#session.opening(), ...fitting(this.#session.pending()), { leave: {} }];
    post(frames, { keepalive: true }).catch(() => {}); // if it fails, the server notices by itself
  }

  #queue(frame) {
    this.#session.queue(frame);
    this.#connection.wake();
  }

  #enqueue(step) {
    this.#work = this.#work.then(step).catch((error) => console.warn('a frame was dropped:', error.message));
  }

  async #receive({ welcome, ice, joined, left, message, explanation }) {
    if (this.#deaf || this.#closed) return;
    if (welcome) await this.#enter(welcome);
    else if (ice) this.#handlers.ice(ice);
    else if (joined) this.#handlers.joined(joined);
    else if (left) this.#handlers.left(left);
    else if (explanation) this.#handlers.explanation(explanation);
    else if (message) await this.#open(message);
  }

  async #enter(welcome) {
    if (!this.#roomKey) {
      const { appointment, seat, room_key: wrapped } = welcome;
      this.#roomKey = await seal.unwrap(this.#keys.sealKey, appointment, seat, seal.fromBase64(wrapped));
      this.#receiver = new seal.Receiver(this.#roomKey, appointment, seat, this.#epoch);
    }
    this.#welcome = welcome;
    this.#handlers.welcome(welcome);
  }

  // open finds out whether the server tampers with messages. Only 'altered' proves that: when a
  // server restarts, messages may be lost, and clients repeat those that it had not acknowledged,
  // so that they come twice, or late.
  async #open({ from, epoch, seq, sealed }) {
    const { plain, finding } = await this.#receiver.open(from, epoch, seq, seal.fromBase64(sealed));
    if (finding === 'altered') {
      console.warn('a message was altered on its way');
      this.#handlers.tampered();
    } else if (finding === 'missing') console.warn('messages were lost on their way');
    else if (finding) console.debug(`a message was dropped: ${finding}`);
    if (plain) this.#handlers.message({ seat: from, epoch }, JSON.parse(new TextDecoder().decode(plain)));
  }
}
