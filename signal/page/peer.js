// One media connection to the partner: its negotiation, and whether it is alive.

import { Path } from './path.js';

// How long a connection may stay failed before something is done, in milliseconds. Chromium shows
// 'failed' for a moment if the first candidate is refused while others are on their way.
const patience = 2000;

// How long until something is done again, or done about an unanswered offer, in milliseconds.
const longPatience = 10000;

const maxEarly = 64; // candidates that wait for their description

export class Peer {
  #connection; #offers; #handlers; #timer; #path;
  #work = Promise.resolve(); // descriptions and candidates are applied in order
  #early = []; // candidates that came before their description
  #number = 0; // of the last offer
  #restarted = false; // it was restarted or failed, and nothing has arrived since
  #doubted = false; // one of its receivers was deaf, or it failed
  #dead = false; // it is connected, but carries no media

  // The handlers are Call's, and deaf(), which is called while one receiver gets nothing and others
  // do.
  constructor(configuration, stream, offers, handlers) {
    this.#offers = offers;
    this.#handlers = handlers;
    const connection = new RTCPeerConnection(configuration);
    this.#connection = connection;
    for (const kind of ['audio', 'video']) {
      const track = stream?.getTracks().find((candidate) => candidate.kind === kind);
      if (track) connection.addTrack(track, stream);
      else if (offers) connection.addTransceiver(kind, { direction: 'recvonly' });
    }
    connection.addEventListener('icecandidate', ({ candidate }) => {
      if (candidate) this.#send({ candidate });
    });
    connection.addEventListener('track', ({ streams: [remote] }) => handlers.track(remote));
    connection.addEventListener('connectionstatechange', () => this.#changed());
    if (offers) connection.addEventListener('negotiationneeded', () => this.#enqueue(() => this.#offer()));
    this.#path = new Path(connection, {
      quiet: () => handlers.quiet(),
      stalled: (answered) => this.#stalled(answered),
      flowing: () => {
        this.#restarted = false;
        this.#changed();
      },
      deaf: () => handlers.deaf(),
    });
    this.#timer = setTimeout(() => connection.remoteDescription || handlers.stalled(), longPatience);
  }

  get connected() { return this.#connection.connectionState === 'connected' && !this.#path.stalled; }

  // failed reports whether an ICE restart would be of no use.
  get failed() { return this.#dead || this.#connection.connectionState === 'failed'; }

  // receive handles an object from the partner's side of this connection.
  receive(object) { this.#enqueue(() => this.#receive(object)); }

  configure(configuration) { this.#connection.setConfiguration(configuration); }

  // restart looks for another path. The side that makes no offers waits for one.
  restart() {
    this.#path.hold();
    this.#restarted ||= !this.connected;
    if (!this.#offers) return;
    this.#connection.restartIce(); // fires negotiationneeded, unless an offer is unanswered
    if (this.#connection.signalingState !== 'stable') this.#enqueue(() => this.#offer());
  }

  // doubt declares the connection dead the second time: the restart has not helped.
  doubt() {
    this.#dead = this.#doubted;
    this.#doubted = true;
  }

  close() {
    clearTimeout(this.#timer);
    this.#path.close();
    this.#connection.close();
  }

  get #closed() { return this.#connection.signalingState === 'closed'; }

  #send(object) {
    if (!this.#closed) this.#handlers.send(object);
  }

  #enqueue(step) {
    this.#work = this.#work.then(() => this.#closed || step()).catch((error) => console.warn('negotiation:', error.message));
  }

  #changed() {
    const state = this.#connection.connectionState;
    clearTimeout(this.#timer);
    if (state === 'failed') {
      this.#retry(patience);
      this.#restarted = this.#doubted = true; // a late candidate may revive it, but without media
    }
    if (state === 'connected') this.#path.hold(); // until the first media arrives
    this.#handlers.state(state === 'connected' && !this.connected ? 'disconnected' : state);
  }

  #retry(pause) {
    this.#timer = setTimeout(() => {
      this.#handlers.stalled();
      this.#retry(longPatience);
    }, pause);
  }

  // stalled is called when nothing arrives. If checks of the path were answered since a restart, the
  // path is not the problem.
  #stalled(answered) {
    if (answered && this.#restarted && this.#connection.connectionState === 'connected') this.#dead = true;
    this.#handlers.state('disconnected');
    this.#handlers.stalled();
  }

  async #offer() {
    await this.#connection.setLocalDescription();
    this.#send({ description: this.#connection.localDescription, offer: ++this.#number });
  }

  async #receive({ description, candidate, offer, sends }) {
    const connection = this.#connection;
    if (sends) this.#path.expect(sends);
    if (description) {
      // Only the answer to the last offer counts.
      if (description.type === 'answer' && offer !== this.#number) return;
      await connection.setRemoteDescription(description);
      for (const early of this.#early.splice(0)) this.#enqueue(() => connection.addIceCandidate(early));
      if (!this.#offers) {
        this.#path.hold();
        await connection.setLocalDescription();
        this.#send({ description: connection.localDescription, offer });
      }
    } else if (candidate) {
      if (connection.remoteDescription) await connection.addIceCandidate(candidate);
      else if (this.#early.length < maxEarly) this.#early.push(candidate);
    }
  }
}
