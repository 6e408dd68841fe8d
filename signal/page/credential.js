// A seat's credential for the relay, as media connections take it. It is renewed in time.

import { choose } from './call.js';

// How long before its expiry a credential is no longer relied on, and how soon and how late a
// new one is asked for, in milliseconds. A timer takes at most 24 days.
const nearExpiry = 5 * 60 * 1000;
const minRenewal = 60 * 1000;
const maxRenewal = 24 * 60 * 60 * 1000;

export class Credential {
  configuration; // of media connections; undefined until the seat is admitted
  #options; #renew; #timer;
  #expires = 0; // by the page's own clock: the device's may be wrong

  // options are those of the page's address; renew asks the server for a new credential.
  constructor(options, renew) {
    this.#options = options;
    this.#renew = renew;
  }

  // take replaces the credential. A server of an older version gives no lifetime.
  take({ servers, lifetime = 0 }) {
    this.configuration = {
      iceServers: choose(servers, this.#options.get('transport')),
      iceTransportPolicy: this.#options.get('policy') === 'relay' ? 'relay' : 'all',
    };
    const milliseconds = 1000 * lifetime;
    this.#expires = performance.now() + milliseconds;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#renew, Math.min(Math.max(minRenewal, milliseconds - 2 * nearExpiry), maxRenewal));
  }

  // freshen asks for a new credential if this one is about to expire.
  freshen() {
    if (this.#expires - performance.now() < nearExpiry) this.#renew();
  }

  close() { clearTimeout(this.#timer); }
}
