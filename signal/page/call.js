// The media connection to one session of the partner. The doctor's side makes the
// offers; the patient's asks for one when it needs it.

import { Path } from './path.js';

// How long a connection may stay failed before it is tried anew. Chromium shows
// 'failed' for a moment when a first candidate is refused and others are on their way.
const patience = 2000;

// How long an offer may be under way before the patient's side may have another one.
const offerTime = 1500;

const maxEarly = 64; // candidates that wait for their description

// choose leaves those ICE servers that a page address like ?transport=tls allows.
export function choose(servers, transport) {
  const fits = {
    udp: (url) => url.startsWith('turn:') && url.endsWith('transport=udp'),
    tcp: (url) => url.startsWith('turn:') && url.endsWith('transport=tcp'),
    tls: (url) => url.startsWith('turns:'),
  };
  const fit = Object.hasOwn(fits, transport ?? '') ? fits[transport] : () => true;
  return servers.map((server) => ({ ...server, urls: server.urls.filter(fit) }));
}

// Call reports through its handlers: send(object) to the partner, track(stream),
// state(connectionState), quiet() when nothing has arrived for a moment, stalled() when
// that goes on.
export class Call {
  #connection; #offers; #handlers; #timer; #path;
  #work = Promise.resolve(); // descriptions and candidates are applied in their order
  #early = []; // candidates that came before their description
  #number = 0; // of the last offer
  #offered = 0; // when that was made

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
      if (candidate) handlers.send({ candidate });
    });
    connection.addEventListener('track', ({ streams: [remote] }) => handlers.track(remote));
    connection.addEventListener('connectionstatechange', () => this.#changed());
    if (offers) connection.addEventListener('negotiationneeded', () => this.#enqueue(() => this.#offer()));
    this.#path = new Path(connection, {
      quiet: () => handlers.quiet(),
      stalled: () => this.#stalled(),
      flowing: () => this.#changed(),
    });
  }

  get connected() { return this.#connection.connectionState === 'connected' && !this.#path.stalled; }

  // receive takes an object that the partner's call sent.
  receive(object) { this.#enqueue(() => this.#receive(object)); }

  // configure takes newer ICE servers.
  configure(configuration) { this.#connection.setConfiguration(configuration); }

  // restart looks for a new way to the partner; what flows meanwhile goes on.
  restart() {
    this.#path.hold();
    if (!this.#offers) {
      this.#handlers.send({ restart: true });
      return;
    }
    this.#connection.restartIce(); // makes an offer through negotiationneeded,
    if (this.#connection.signalingState !== 'stable') this.#enqueue(() => this.#offer()); // unless one is unanswered
  }

  close() {
    clearTimeout(this.#timer);
    this.#path.close();
    this.#connection.close();
  }

  #enqueue(step) {
    this.#work = this.#work.then(step).catch((error) => console.warn('negotiation:', error.message));
  }

  #changed() {
    const state = this.#connection.connectionState;
    clearTimeout(this.#timer);
    if (state === 'failed') this.#retry(patience);
    this.#handlers.state(state);
  }

  #retry(pause) {
    this.#timer = setTimeout(() => {
      this.#handlers.stalled();
      this.#retry(5 * patience);
    }, pause);
  }

  #stalled() {
    this.#handlers.state('disconnected');
    this.#handlers.stalled();
  }

  async #offer() {
    await this.#connection.setLocalDescription();
    this.#offered = performance.now();
    this.#handlers.send({ description: this.#connection.localDescription, offer: ++this.#number });
  }

  async #receive({ description, candidate, restart, offer }) {
    const connection = this.#connection;
    if (description) {
      // An answer to an offer before the last one has nothing to say any more.
      if (description.type === 'answer' && offer !== this.#number) return;
      await connection.setRemoteDescription(description);
      for (const early of this.#early.splice(0)) await connection.addIceCandidate(early);
      if (description.type === 'offer') {
        this.#path.hold();
        await connection.setLocalDescription();
        this.#handlers.send({ description: connection.localDescription, offer });
      }
    } else if (candidate) {
      if (connection.remoteDescription) await connection.addIceCandidate(candidate);
      else if (this.#early.length < maxEarly) this.#early.push(candidate);
    } else if (restart && this.#offers && performance.now() - this.#offered > offerTime) {
      this.restart();
    }
  }
}
