// One media connection to the partner: what is negotiated about it, and whether it lives.

import { Path } from './path.js';

// How long a connection may stay failed before something is done. Chromium shows 'failed'
// for a moment when a first candidate is refused and others are on their way.
const patience = 2000;

// How long until something is done about it again, or about an offer without an answer.
const longPatience = 10000;

const maxEarly = 64; // candidates that wait for their description

export class Peer {
  #connection; #offers; #handlers; #timer; #path;
  #work = Promise.resolve(); // descriptions and candidates are applied in their order
  #early = []; // candidates that came before their description
  #number = 0; // of the last offer
  #restarted = false; // since something arrived, or it failed
  #doubted = false; // one of its receivers was deaf, or it failed
  #dead = false; // it is connected, and yet carries no media

  // Handlers are Call's, and deaf() when a receiver gets nothing while others do.
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

  // failed is what no ICE restart mends.
  get failed() { return this.#dead || this.#connection.connectionState === 'failed'; }

  // receive takes an object that the partner's side of this connection sent.
  receive(object) { this.#enqueue(() => this.#receive(object)); }

  configure(configuration) { this.#connection.setConfiguration(configuration); }

  // restart looks for a new way; the side that makes no offers waits for one.
  restart() {
    this.#path.hold();
    this.#restarted ||= !this.connected;
    if (!this.#offers) return;
    this.#connection.restartIce(); // makes an offer through negotiationneeded,
    if (this.#connection.signalingState !== 'stable') this.#enqueue(() => this.#offer()); // unless one is unanswered
  }

  // doubt takes the connection for dead the second time, when a restart did not help.
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
      this.#restarted = this.#doubted = true; // if a late candidate revives it, without media
    }
    if (state === 'connected') this.#path.hold(); // for the first media to arrive
    this.#handlers.state(state === 'connected' && !this.connected ? 'disconnected' : state);
  }

  #retry(pause) {
    this.#timer = setTimeout(() => {
      this.#handlers.stalled();
      this.#retry(longPatience);
    }, pause);
  }

  // stalled finds out that nothing arrives. Where checks of the path were answered since a
  // restart, the path is not what is wrong.
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
      // An answer to an offer before the last one has nothing to say any more.
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
