// Keeps a session connected, by a WebSocket or, where none gets through, by long polling. It
// reconnects after every loss until the server says that the session is over.

import { onNetworkChange } from './network.js';
import { Polling } from './polling.js';
import { Socket } from './socket.js';

const earlyTime = 30000; // after two sockets that were lost this early, it polls
const goodTime = 10000; // a connection that lasted this long was good: pauses start over
const soon = 200; // the first attempt's longest pause: clients must not all reconnect at once
const firstPause = 500;
const maxPause = 3000; // a broken call waits for the reconnection
const maintenancePause = 20000; // at most: there is no hurry
const checkTime = 3000; // until a check is answered

// After these errors the client reconnects; after others that would be harmful or useless.
const passing = ['unknown-session', 'too-slow', 'unavailable'];

export class Connection {
  #session; #forced; #handlers; #link; #timer; #began;
  #poll; // whether this connection polls
  #carries = false; // a frame came over this connection
  #checked = false; // the network may have changed, so a loss does not count against WebSockets
  #tries = 0; // since a good connection
  #early = 0; // sockets that were lost early
  #listening = new AbortController();

  // With poll, it never opens a socket. Handlers: back() when a new connection works, lost() when
  // reconnecting takes longer, maintenance(error) when the server is under maintenance, ended(error)
  // when there is no reconnecting.
  constructor(session, poll, handlers) {
    this.#session = session;
    this.#forced = this.#poll = poll;
    this.#handlers = handlers;
    const { signal } = this.#listening;
    onNetworkChange(() => this.check(), signal);
    document.addEventListener('visibilitychange', () => { if (!document.hidden) this.check(); }, { signal });
    this.#connect();
  }

  // wake sends the session's new frames.
  wake() { this.#link?.wake(); }

  // check finds out whether the connection still works. If there is none, it connects at once.
  check(within = checkTime) {
    if (this.#listening.signal.aborted) return; // it is closed
    this.#checked = true;
    if (this.#link) this.#link.check(within);
    else this.#connect();
  }

  // leave gives the seat up where that takes no request, and closes.
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
      this.#poll = this.#forced || opened; // otherwise the network is gone: the next one may let a WebSocket through
    } else if (opened) {
      this.#early = lasted < earlyTime && !this.#checked ? this.#early + 1 : 0;
      this.#poll = this.#early >= 2;
    } else {
      this.#poll = true;
    }
    if (opened && (lasted > goodTime || this.#checked)) this.#tries = 0;
    this.#again(!opened);
  }

  // again reconnects, the first time almost at once unless there is a reason to wait.
  #again(wait) {
    const longest = Math.min(maxPause, firstPause * 2 ** this.#tries);
    const atOnce = this.#tries++ === 0 && !wait;
    this.#later((atOnce ? soon : longest) * Math.random());
    if (!atOnce) this.#handlers.lost();
  }

  #later(pause) {
    this.#link = undefined;
    this.#timer = setTimeout(() => this.#connect(), pause);
  }
}
