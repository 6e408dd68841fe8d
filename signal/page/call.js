// A call with one session of the partner: one media connection after another. A browser
// that has given a connection up may never carry media over it again, whatever it says
// after an ICE restart. So both sides then make a new one, which has the next number. The
// doctor's side counts and makes the offers; the patient's asks for what it needs.

import { sends } from './media.js';
import { Peer } from './peer.js';

// How long an offer may be under way before the patient's side may have another one.
const offerTime = 1500;

// How many allocations ICE restarts may have the relay make in how many milliseconds, one
// for each of its URLs. Browsers keep those before for a while, the relay ends them when
// they were idle for ten seconds, and a seat may hold 16.
const maxAllocations = 12;
const restartSpan = 12000;

// After a receiver got nothing while others did, and again: each time waits twice as long,
// since a device that gives nothing, or a line that is too narrow, is not mended so.
const firstPause = 5000;

// What a description may have. A call has two sections of media; the answer to more grows
// with each.
const maxSections = 4;
const maxCandidates = 200; // until the next description

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

// acceptable reports whether a description is what that side of a call may say.
function acceptable({ type, sdp }, offers) {
  const lines = (start) => String(sdp ?? '').split(`\n${start}`).length - 1;
  return type === (offers ? 'answer' : 'offer') && lines('m=') <= maxSections && lines('a=candidate:') <= maxCandidates;
}

// Call reports through its handlers: send(object) to the partner, track(stream),
// state(connectionState), quiet() when nothing has arrived for a moment, stalled() when
// that goes on, or when a restart is due for another reason.
export class Call {
  #configuration; #stream; #offers; #handlers; #peer;
  #number = 0; // of the connection; zero: none yet
  #restarts = []; // when it was restarted last
  #candidates = 0; // since the last description
  #later; // the timer for a restart that has to wait
  #offered = 0; // when an offer was last made
  #deaf = { next: 0, pause: firstPause }; // when something is done about one receiver
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

  // receive takes an object that the partner's call sent. What is about an older
  // connection is of no interest. A page of an older version numbers none, and has but one.
  receive({ call, restart, failed, ...object }) {
    const { description, candidate } = object;
    if (description && !acceptable(description, this.#offers)) {
      console.warn('a description was dropped: it is not one of a call');
      return;
    }
    this.#candidates = description ? 0 : this.#candidates + (candidate ? 1 : 0);
    if (this.#candidates > maxCandidates) return;
    const number = call ?? (this.#number || 1);
    const offered = Boolean(description) && !this.#offers;
    if (restart && this.#offers) this.#asked(number, failed);
    if (offered && number > this.#number) this.#connect(number);
    if (number !== this.#number) return;
    if (offered && call && this.#peer.failed) this.#handlers.stalled(); // asks for a new one
    else this.#peer?.receive(object);
  }

  // configure takes newer ICE servers.
  configure(configuration) {
    this.#configuration = configuration;
    this.#peer?.configure(configuration);
  }

  // restart looks for a new way to the partner; what flows meanwhile goes on. What failed
  // is replaced.
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
    const most = Math.ceil(maxAllocations / Math.max(urls.length, 1));
    const wait = restartSpan - (now - (this.#restarts.at(-most) ?? -Infinity));
    clearTimeout(this.#later);
    if (wait > 0) {
      this.#later = setTimeout(() => this.connected || this.restart(), wait);
      return;
    }
    this.#restarts.push(now);
    this.#peer.restart();
  }

  // send says with everything which media to expect.
  #send(object) {
    this.#handlers.send({ ...object, call: this.#number || undefined, sends: sends(this.#stream) });
  }

  // asked does what the patient's side wants, unless that is about an older connection, or
  // was said before the last offer arrived there.
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
