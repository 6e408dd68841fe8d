// A call with one session of the partner: one media connection after another. A browser that has
// given a connection up may never carry media over it again, even if an ICE restart seems to succeed.
// Both sides then make a new connection with the next number. The doctor's side counts and makes the
// offers; the patient's side asks for them.

import { sends } from './media.js';
import { Peer } from './peer.js';

// How long after an offer the patient's side may get another one, in milliseconds.
const offerTime = 1500;

// How many allocations on the relay ICE restarts may cause within restartSpan, in milliseconds. Each
// restart causes one for each of the relay's URLs. Browsers keep the earlier ones for a while, the
// relay ends them after ten idle seconds, and a seat may hold 16.
const maxAllocations = 12;
const restartSpan = 12000;

// The pause between the attempts to mend a deaf receiver, in milliseconds. It doubles each time,
// since nothing here helps against a silent device or a line that is too narrow.
const firstPause = 5000;

// How large a description may be. A call has two sections of media, and the answer grows with each
// section of the offer.
const maxSections = 4;
const maxCandidates = 200; // until the next description

// choose keeps the ICE servers that the page's address allows, for example ?transport=tls.
export function choose(servers, transport) {
  const fits = {
    udp: (url) => url.startsWith('turn:') && url.endsWith('transport=udp'),
    tcp: (url) => url.startsWith('turn:') && url.endsWith('transport=tcp'),
    tls: (url) => url.startsWith('turns:'),
  };
  const fit = Object.hasOwn(fits, transport ?? '') ? fits[transport] : () => true;
  return servers.map((server) => ({ ...server, urls: server.urls.filter(fit) }));
}

// acceptable reports whether the partner may send a description to a side that makes offers, or to
// one that does not.
function acceptable({ type, sdp }, offers) {
  const lines = (start) => String(sdp ?? '').split(`\n${start}`).length - 1;
  return type === (offers ? 'answer' : 'offer') && lines('m=') <= maxSections && lines('a=candidate:') <= maxCandidates;
}

// Call calls its handlers: send(object) for the partner, track(stream), state(connectionState),
// quiet() when nothing has arrived for a moment, and stalled() when that goes on or a restart is due
// for another reason.
export class Call {
  #configuration; #stream; #offers; #handlers; #peer;
  #number = 0; // of the connection; zero: none yet
  #restarts = []; // when the connection was restarted
  #candidates = 0; // since the last description
  #later; // the timer of a restart that has to wait
  #offered = 0; // when the last offer was made
  #deaf = { next: 0, pause: firstPause }; // when a deaf receiver may be mended next
  #listening = new AbortController();

  constructor(configuration, stream, offers, handlers) {
    this.#configuration = configuration;
    this.#stream = stream;
    this.#offers = offers;
    this.#handlers = handlers;
    const { signal } = this.#listening;
    const tell = () => { if (this.#number) this.#send({}); };
    for (const track of stream?.getTracks() ?? []) {
      for (const event of ['mute', 'unmute', 'ended']) track.addEventListener(event, tell, { signal });
    }
    document.addEventListener('visibilitychange', tell, { signal });
    if (offers) this.#connect(1);
  }

  get connected() { return this.#peer?.connected ?? false; }

  // receive handles an object from the partner's call. It ignores earlier connections. A page of an
  // older version does not number connections, and has only one.
  receive({ call, restart, failed, ...object }) {
    const { description, candidate } = object;
    if (description && !acceptable(description, this.#offers)) {
      console.warn('a description was dropped: no call needs it');
      return;
    }
    this.#candidates = description ? 0 : this.#candidates + (candidate ? 1 : 0);
    if (this.#candidates > maxCandidates) return;
    const number = call ?? (this.#number || 1);
    const offered = Boolean(description) && !this.#offers;
    if (restart && this.#offers) this.#asked(number, failed);
    if (offered && number > this.#number) this.#connect(number);
    if (number !== this.#number) return;
    if (offered && call && this.#peer.failed) this.#handlers.stalled(); // asks for a new connection
    else this.#peer?.receive(object);
  }

  // configure replaces the ICE servers.
  configure(configuration) {
    this.#configuration = configuration;
    this.#peer?.configure(configuration);
  }

  // restart looks for another path to the partner; media that flows is not interrupted. A failed
  // connection is replaced.
  restart() {
    const failed = this.#peer?.failed ?? false;
    if (!this.#offers) {
      this.#send({ restart: true, failed });
      this.#peer?.restart();
    } else if (failed) this.#connect(this.#number + 1);
    else this.#restart();
  }

  close() {
    this.#listening.abort();
    this.#leave();
  }

  #leave() {
    clearTimeout(this.#later);
    this.#peer?.close();
  }

  #connect(number) {
    if (this.#peer) this.#handlers.state('disconnected');
    this.#leave();
    this.#number = number;
    this.#restarts = [];
    this.#offered = performance.now();
    this.#peer = new Peer(this.#configuration, this.#stream, this.#offers, {
      ...this.#handlers,
      send: (object) => {
        if (object.description) this.#offered = performance.now();
        this.#send(object);
      },
      deaf: () => this.#deafened(),
    });
  }

  #restart() {
    const now = performance.now();
    const urls = this.#configuration.iceServers.flatMap((server) => server.urls);
    const maxRestarts = Math.ceil(maxAllocations / Math.max(urls.length, 1));
    const wait = restartSpan - (now - (this.#restarts.at(-maxRestarts) ?? -Infinity));
    clearTimeout(this.#later);
    if (wait > 0) {
      this.#later = setTimeout(() => this.connected || this.restart(), wait);
      return;
    }
    this.#restarts.push(now);
    this.#peer.restart();
  }

  // send adds the connection's number, and the media to expect.
  #send(object) {
    this.#handlers.send({ ...object, call: this.#number || undefined, sends: sends(this.#stream) });
  }

  // asked does what the patient's side wants, unless that concerns an earlier connection or was sent
  // before the last offer arrived there.
  #asked(call, failed) {
    if (call !== this.#number) return;
    if (failed) this.#connect(this.#number + 1);
    else if (performance.now() - this.#offered > offerTime) this.restart();
  }

  #deafened() {
    const now = performance.now();
    if (now < this.#deaf.next) return;
    this.#deaf = { next: now + this.#deaf.pause, pause: 2 * this.#deaf.pause };
    this.#peer.doubt();
    this.#handlers.stalled();
  }
}
