// Keeps a session connected: by WebSocket, or by long polling where none comes
// through. It comes back after every loss until the server says that it is over.

import { onNetworkChange } from './network.js';
import { Polling } from './polling.js';
import { Socket } from './socket.js';

const earlyTime = 30000; // a socket that is lost before that twice is given up
const goodTime = 10000; // after which a loss is a new one, and no further failure
const soon = 200; // apart from each other, where many come back
const firstPause = 500;
const longestPause = 3000; // a call that broke waits for it
const maintenancePause = 20000; // at most: who waits for its end has time
const checkTime = 3000; // to an answer after something happened to the network

// After these errors the client comes back by itself; after others that would do harm
// or no good.
const passing = ['unknown-session', 'too-slow', 'unavailable'];

export class Connection {
  #session; #forced; #handlers; #link; #timer; #began;
  #poll; // this time
  #carries = false; // a frame came over this connection
  #checked = false; // it is not the way's fault when this one is lost, but the network changed
  #tries = 0; // since a connection was good
  #early = 0; // sockets that were lost soon
  #listening = new AbortController();

  // With poll it never opens a socket. Handlers: back() when a new connection carries,
  // lost() when it cannot come back at once, maintenance(error) when it may not yet,
  // ended(error) when it does not come back.
  constructor(session, poll, handlers) {
    this.#session = session;
    this.#forced = this.#poll = poll;
    this.#handlers = handlers;
    const { signal } = this.#listening;
    onNetworkChange(() => this.check(), signal);
    document.addEventListener('visibilitychange', () => { if (!document.hidden) this.check(); }, { signal });
    this.#connect();
  }

  // wake says that the session has frames to send.
  wake() { this.#link?.wake(); }

  // check finds out whether the connection still carries, or tries again at once.
  check(within = checkTime) {
    if (this.#listening.signal.aborted) return; // it is closed
    this.#checked = true;
    if (this.#link) this.#link.check(within);
    else this.#connect();
  }

  // leave says that the seat is given up where that goes without a request, and closes.
  leave() {
    this.#link?.leave?.();
    this.close();
  }

  close() {
    this.#listening.abort();
    clearTimeout(this.#timer);
    this.#link?.close();
  }

  #connect() {
    clearTimeout(this.#timer);
    this.#began = performance.now();
    this.#carries = this.#checked = false;
    const Link = this.#poll ? Polling : Socket;
    this.#link = new Link(this.#session, (frame) => this.#take(frame), (opened) => this.#lost(opened));
  }

  #take(frame) {
    const { error } = frame;
    this.#session.take(frame);
    if (!error) {
      if (!this.#carries) this.#handlers.back();
      this.#carries = true;
      return;
    }
    this.#link.close();
    if (error.code === 'maintenance') {
      this.#handlers.maintenance(error);
      this.#later(maintenancePause * (0.5 + Math.random() / 2));
    } else if (passing.includes(error.code)) this.#again(error.code === 'unavailable');
    else if (error.retry_after && this.#session.known) this.#later(1000 * error.retry_after);
    else {
      this.close();
      this.#handlers.ended(error);
    }
  }

  #lost(opened) {
    const lasted = performance.now() - this.#began;
    if (this.#poll) {
      this.#poll = this.#forced || opened; // else the network is gone, whatever it lets through
    } else if (opened) {
      this.#early = lasted < earlyTime && !this.#checked ? this.#early + 1 : 0;
      this.#poll = this.#early >= 2;
    } else {
      this.#poll = true;
    }
    if (opened && (lasted > goodTime || this.#checked)) this.#tries = 0;
    this.#again(!opened);
  }

  // again comes back: the first time nearly at once, unless there is a reason to wait.
  #again(wait) {
    const most = Math.min(longestPause, firstPause * 2 ** this.#tries);
    const atOnce = this.#tries++ === 0 && !wait;
    this.#later((atOnce ? soon : most) * Math.random());
    if (!atOnce) this.#handlers.lost();
  }

  #later(pause) {
    this.#link = undefined;
    this.#timer = setTimeout(() => this.#connect(), pause);
  }
}
